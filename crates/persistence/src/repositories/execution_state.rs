//! Runs and steps in SQLite. A change of state is a compare-and-set on the state for which it was decided.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::failure::{FailureReason, RecoveryAction};
use vega_domain::ids::{ApiName, RunId};
use vega_domain::ports::{ExecutionStateRepository, LastFailure, RunHistory, StoreError};
use vega_domain::run::{RunRecord, RunState, StepRecord, StepState};

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::records::run::{FailureRow, RunRow, StepRow};
use crate::repositories::attempt_rows;
use crate::repositories::audit_trail;
use crate::sql;
use crate::sql::Session;
use crate::sql::query::QueryAs;
use crate::stored::unreadable;

/// `ExecutionStateRepository` over SQLite.
#[derive(Debug, Clone)]
pub struct SqlExecutionStateRepository(DataSource);

impl SqlExecutionStateRepository {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }
}

#[async_trait]
impl ExecutionStateRepository for SqlExecutionStateRepository {
    async fn begin(&self, run: &RunRecord, audit: &AuditEntry) -> Result<(), StoreError> {
        const DOING: &str = "begin a run";
        let mut tx = self.0.write_of_sign_in().await?;
        sql::query("INSERT INTO execution_runs (id, state, started_at) VALUES ($1, $2, $3)")
            .bind(run.id.as_uuid())
            .bind(run.state.as_str())
            .bind(run.started_at)
            .execute(&mut tx)
            .await
            .map_err(one_is_active(DOING))?;
        for (position, step) in (0_i64..).zip(&run.steps) {
            insert_step(&mut tx, run.id, position, step, run.started_at).await?;
        }
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn take_up(&self, run: &RunRecord, audit: &AuditEntry) -> Result<(), StoreError> {
        const DOING: &str = "take up a run";
        let mut tx = self.0.write_of_sign_in().await?;
        let from = state_of(&mut tx, run.id).await?;
        if from != Some(RunState::Incomplete) {
            return Err(refused_move(run.id, from, RunState::Running));
        }
        // A request to end it was about the time before.
        sql::query(
            "UPDATE execution_runs SET state = $2, resumed_at = $3, finished_at = NULL, cancel_requested_at = NULL
             WHERE id = $1",
        )
        .bind(run.id.as_uuid())
        .bind(RunState::Running.as_str())
        .bind(audit.at)
        .execute(&mut tx)
        .await
        .map_err(one_is_active(DOING))?;
        for (position, step) in (0_i64..).zip(&run.steps) {
            match step_state(&mut tx, run.id, &step.api).await? {
                None => insert_step(&mut tx, run.id, position, step, audit.at).await?,
                Some(from) => {
                    if from != step.state {
                        if !from.may_become(&step.state) {
                            return Err(refused_step(&step.api, &from, &step.state));
                        }
                        update_step(&mut tx, run.id, &step.api, &step.state, audit.at).await?;
                    }
                    sql::query("UPDATE execution_steps SET position = $3 WHERE run_id = $1 AND api = $2")
                        .bind(run.id.as_uuid())
                        .bind(step.api.as_str())
                        .bind(position)
                        .execute(&mut tx)
                        .await
                        .map_err(failed(DOING))?;
                }
            }
        }
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn save_step(
        &self,
        run: RunId,
        api: &ApiName,
        state: &StepState,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        const DOING: &str = "save a step";
        let mut tx = self.0.write_of_sign_in().await?;
        if !state_of(&mut tx, run).await?.is_some_and(RunState::is_active) {
            return Err(StoreError::Conflict(format!("run {run} is not active")));
        }
        let Some(from) = step_state(&mut tx, run, api).await? else {
            return Err(StoreError::Conflict(format!("run {run} has no step for {api}")));
        };
        if from.is_final() || !from.may_become(state) {
            return Err(refused_step(api, &from, state));
        }
        update_step(&mut tx, run, api, state, audit.at).await?;
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn move_run(&self, run: RunId, to: RunState, audit: &AuditEntry) -> Result<(), StoreError> {
        const DOING: &str = "move a run";
        let mut tx = self.0.write_of_sign_in().await?;
        let from = state_of(&mut tx, run).await?;
        if !from.is_some_and(|from| from.may_become(to)) {
            return Err(refused_move(run, from, to));
        }
        sql::query("UPDATE execution_runs SET state = $2, finished_at = $3 WHERE id = $1")
            .bind(run.as_uuid())
            .bind(to.as_str())
            .bind((!to.is_active()).then_some(audit.at))
            .execute(&mut tx)
            .await
            .map_err(failed(DOING))?;
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn request_cancel(&self, at: DateTime<Utc>) -> Result<Option<RunId>, StoreError> {
        const DOING: &str = "ask a run to end";
        let mut tx = self.0.write().await?;
        let run: Option<Uuid> = sql::query_scalar(
            "UPDATE execution_runs SET cancel_requested_at = coalesce(cancel_requested_at, $1)
             WHERE state IN ('planned', 'running', 'waiting') RETURNING id",
        )
        .bind(at)
        .fetch_optional(&mut tx)
        .await
        .map_err(failed(DOING))?;
        let Some(run) = run.map(RunId::from_uuid) else {
            return Ok(None);
        };
        let audit = AuditEntry::new(at, AuditKind::CancelRequested, "").in_run(run);
        audit_trail::insert(&mut tx, &audit).await?;
        tx.commit().await.map_err(failed(DOING))?;
        Ok(Some(run))
    }

    async fn is_cancel_requested(&self, run: RunId) -> Result<bool, StoreError> {
        let query = "SELECT cancel_requested_at IS NOT NULL FROM execution_runs WHERE id = $1";
        let requested: Option<bool> = sql::query_scalar(query)
            .bind(run.as_uuid())
            .fetch_optional(&mut self.0.session().await?)
            .await
            .map_err(failed("look whether a run is to end"))?;
        Ok(requested.unwrap_or(false))
    }
}

#[async_trait]
impl RunHistory for SqlExecutionStateRepository {
    async fn active(&self) -> Result<Option<RunRecord>, StoreError> {
        let active = sql::query_as(
            "SELECT id, state, started_at, finished_at FROM execution_runs
             WHERE state IN ('planned', 'running', 'waiting')",
        );
        Ok(self.runs(active).await?.pop())
    }

    async fn find(&self, run: RunId) -> Result<Option<RunRecord>, StoreError> {
        let this = "SELECT id, state, started_at, finished_at FROM execution_runs WHERE id = $1";
        Ok(self.runs(sql::query_as(this).bind(run.as_uuid())).await?.pop())
    }

    async fn newest(&self) -> Result<Option<RunRecord>, StoreError> {
        // A run's id sorts by its start.
        let newest = "SELECT id, state, started_at, finished_at FROM execution_runs ORDER BY id DESC LIMIT 1";
        Ok(self.runs(sql::query_as(newest)).await?.pop())
    }

    async fn incomplete(&self) -> Result<Vec<RunRecord>, StoreError> {
        // A run's id sorts by its start.
        let incomplete = sql::query_as(
            "SELECT id, state, started_at, finished_at FROM execution_runs
             WHERE state = 'incomplete' ORDER BY id DESC",
        );
        self.runs(incomplete).await
    }

    async fn last_failures(&self) -> Result<Vec<LastFailure>, StoreError> {
        // A step may have come to its end, or lie open again, when its attempt is closed: the later of both tells, whichever
        // run it was in. The clock may have been set in between, so an unresolved outcome that the last attempt left comes
        // before whatever seems to be later, and a token of an attempt before that one settles nothing.
        let unresolved = FailureReason::ALL
            .iter()
            .filter(|reason| reason.recovery_action() == RecoveryAction::AskBeforeAgain);
        let unresolved = sql::list_of_codes(unresolved.map(|reason| reason.code()));
        let mut reading = self.0.read().await?;
        let rows: Vec<FailureRow> = sql::query_as(AssertSqlSafe(format!(
            "WITH last AS (
                 SELECT * FROM sign_in_attempts WHERE rowid IN
                     (SELECT max(rowid) FROM sign_in_attempts WHERE closed_at IS NOT NULL GROUP BY api)),
             ended AS (
                 SELECT api, run_id, state, reason, detail, updated_at AS at FROM execution_steps
                 WHERE state IN ('done', 'failed')
                 UNION ALL
                 SELECT api, run_id, 'failed', failure, failure_detail, closed_at FROM last
                 WHERE status = 'closed'),
             newest AS (
                 SELECT ended.*, last.id AS attempt, last.generation, row_number() OVER (
                     PARTITION BY ended.api
                     ORDER BY coalesce(ended.run_id = last.run_id
                             AND ended.reason IN ({unresolved}), FALSE) DESC,
                         ended.at DESC, ended.run_id DESC) AS place
                 FROM ended LEFT JOIN last ON last.api = ended.api)
             SELECT newest.api, coalesce(run.resumed_at, run.started_at) AS run_began, newest.at AS stored,
                 newest.reason, newest.detail, newest.attempt
             FROM newest JOIN execution_runs AS run ON run.id = newest.run_id
             WHERE newest.place = 1 AND newest.state = 'failed'
               AND NOT EXISTS (SELECT 1 FROM upstox_tokens AS token
                               WHERE token.api = newest.api AND token.verified_at > newest.at
                                 AND token.generation >= coalesce(newest.generation, 1))
             ORDER BY newest.api"
        )))
        .fetch_all(&mut reading)
        .await
        .map_err(failed("read the last failures"))?;
        let failures = rows.into_iter().map(FailureRow::into_failure);
        let mut failures: Vec<LastFailure> = failures.collect::<Result<_, _>>()?;
        for changed in attempt_rows::changed_ends(&mut reading).await? {
            failures.retain(|failure| failure.api != changed.api);
            failures.push(changed);
        }
        Ok(failures)
    }
}

impl SqlExecutionStateRepository {
    async fn runs(&self, query: QueryAs<RunRow>) -> Result<Vec<RunRecord>, StoreError> {
        let mut session = self.0.session().await?;
        let rows: Vec<RunRow> = query
            .fetch_all(&mut session)
            .await
            .map_err(failed("read the runs"))?;
        let mut runs = Vec::new();
        for row in rows {
            let steps: Vec<StepRow> = sql::query_as(
                "SELECT api, account, state, reason, detail FROM execution_steps WHERE run_id = $1 ORDER BY position",
            )
            .bind(row.id)
            .fetch_all(&mut session)
            .await
            .map_err(failed("read the steps of a run"))?;
            runs.push(row.into_record(steps)?);
        }
        Ok(runs)
    }
}

async fn insert_step(
    tx: &mut Session,
    run: RunId,
    position: i64,
    step: &StepRecord,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (reason, detail) = step.state.reason();
    sql::query(
        "INSERT INTO execution_steps (run_id, api, account, position, state, reason, detail, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(run.as_uuid())
    .bind(step.api.as_str())
    .bind(step.account.as_str())
    .bind(position)
    .bind(step.state.as_str())
    .bind(reason)
    .bind(detail)
    .bind(at)
    .execute(tx)
    .await
    .map(drop)
    .map_err(failed("add a step"))
}

async fn update_step(
    tx: &mut Session,
    run: RunId,
    api: &ApiName,
    state: &StepState,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (reason, detail) = state.reason();
    sql::query(
        "UPDATE execution_steps SET state = $3, reason = $4, detail = $5, updated_at = $6
         WHERE run_id = $1 AND api = $2",
    )
    .bind(run.as_uuid())
    .bind(api.as_str())
    .bind(state.as_str())
    .bind(reason)
    .bind(detail)
    .bind(at)
    .execute(tx)
    .await
    .map(drop)
    .map_err(failed("save a step"))
}

async fn step_state(tx: &mut Session, run: RunId, api: &ApiName) -> Result<Option<StepState>, StoreError> {
    let row: Option<StepRow> = sql::query_as(
        "SELECT api, account, state, reason, detail FROM execution_steps WHERE run_id = $1 AND api = $2",
    )
    .bind(run.as_uuid())
    .bind(api.as_str())
    .fetch_optional(tx)
    .await
    .map_err(failed("read a step"))?;
    row.map(|row| Ok(row.into_record()?.state)).transpose()
}

fn one_is_active(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |error| match error.as_database_error() {
        Some(refusal) if refusal.is_unique_violation() => {
            StoreError::Conflict("another run is active".into())
        }
        _ => failed(doing)(error),
    }
}

fn refused_move(run: RunId, from: Option<RunState>, to: RunState) -> StoreError {
    let from = from.map_or("missing", RunState::as_str);
    StoreError::Conflict(format!("run {run} is {from} and cannot become {}", to.as_str()))
}

fn refused_step(api: &ApiName, from: &StepState, to: &StepState) -> StoreError {
    let (from, to) = (from.as_str(), to.as_str());
    StoreError::Conflict(format!("the step of {api} is {from} and cannot become {to}"))
}

async fn state_of(tx: &mut Session, run: RunId) -> Result<Option<RunState>, StoreError> {
    let word: Option<String> = sql::query_scalar("SELECT state FROM execution_runs WHERE id = $1")
        .bind(run.as_uuid())
        .fetch_optional(tx)
        .await
        .map_err(failed("read the state of a run"))?;
    word.map(|word| RunState::parse(&word).map_err(unreadable))
        .transpose()
}
