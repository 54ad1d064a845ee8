//! Accepts the database as it is, on the operator's word: after a backup was restored, or after somebody changed rows.
//! Rows that fit stay in force. Accepting never puts a row into force that does not fit: its token is dead, its key,
//! link or session ends, its sign-in is over, its account stays closed, and its OTP request still uses the budget. Rows
//! that had no value so far are sealed as they are.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::failure::FailureReason;
use vega_domain::ports::StoreError;
use vega_domain::row_faults::{RowFault, RowFaults};

use crate::audit::database_mistrust::DatabaseMistrust;
use crate::audit::latest_changes::{Mark, Marks, Misfit, Whose};
use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::write::{Write, changed_outside};
use crate::integrity::revocations::Revocations;
use crate::integrity::row_examination::{misfit, read_rows, row_fault};
use crate::integrity::row_marks::{self, called, has_ended};
use crate::integrity::row_upgrade::seal_all;
use crate::integrity::row_values::{self, RowScope};
use crate::repositories::attempt_rows::ended_mark;
use crate::repositories::audit_history::SqlAuditHistory;
use crate::repositories::audit_trail;
use crate::sealing::row_values::{ATTEMPTS, COOLDOWNS, KEYS, LINKS, PRESSES, SESSIONS, SealedTable, TOKENS};
use crate::sql;
use crate::sql::Row;
use crate::sql::value::stored_time;

const DOING: &str = "accept the database";

/// How often the trail is examined while others go on writing.
const EXAMINATIONS: u32 = 20;

/// What the operator accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Why the database as a whole was not trusted.
    pub database: Option<String>,
    /// How many rows of an earlier Vega were sealed as they were.
    pub sealed: Option<u64>,
    /// The rows that are out of force.
    pub rows: Vec<RowFault>,
}

impl Accepted {
    /// Whether there was nothing to accept.
    pub fn is_none(&self) -> bool {
        self.database.is_none() && self.rows.is_empty()
    }

    fn words(&self, reason: &str) -> String {
        let sealed = self
            .sealed
            .map(|sealed| format!("{sealed} rows sealed as they stood"));
        let rows = self.rows.iter().map(|fault| &*fault.words);
        let what = self.database.as_deref().into_iter().chain(sealed.as_deref());
        let what: Vec<&str> = [reason].into_iter().chain(what).chain(rows).collect();
        what.join("; ")
    }
}

impl DataSource {
    /// Accepts the database as it is, in one commit that records the reason, with a new checkpoint. Returns what was
    /// accepted; if everything fits, nothing is written.
    pub async fn accept(&self, reason: &str, at: DateTime<Utc>) -> Result<Accepted, StoreError> {
        let faults = self.row_faults(RowScope::All).await?;
        if faults.is_none() {
            return Ok(Accepted::default());
        }
        let RowFaults { database, rows } = faults;
        let mut accepted = Accepted {
            database,
            sealed: None,
            rows,
        };
        let (mut tx, is_intact) = self.write_after_examination().await?;
        if matches!(tx.mistrust(), Some(DatabaseMistrust::Unsealed { .. })) {
            tx.forget_marks();
            end_console_sessions(&mut tx).await?;
            accepted.sealed = Some(seal_all(&mut tx).await?);
        } else {
            let outdated = keep_what_fits(is_intact, &mut tx, &accepted.rows, at).await?;
            accepted.rows.extend(outdated);
        }
        let entry = AuditEntry::new(at, AuditKind::DatabaseAccepted, accepted.words(reason));
        audit_trail::insert(&mut tx, &entry).await?;
        tx.commit().await.map_err(failed(DOING))?;
        Ok(accepted)
    }
}

impl DataSource {
    /// A write, and whether the trail that it goes on with is what Vega wrote. A server that runs may add entries meanwhile, such as
    /// refusals: then it is examined once more.
    async fn write_after_examination(&self) -> Result<(Write, bool), StoreError> {
        for _ in 0..EXAMINATIONS {
            let (verdict, beside_values) = SqlAuditHistory::new(self.clone()).examine().await?;
            let is_intact = verdict.fault.is_none() && beside_values;
            let tx = self.write_whatever_it_is().await?;
            if !is_intact || u64::try_from(tx.last_entry()) == Ok(verdict.entries) {
                return Ok((tx, is_intact));
            }
        }
        let words = "programs write to the database again and again while it is examined: stop them, and accept it then";
        Err(StoreError::Conflict(words.into()))
    }
}

/// Ends all console links and sessions: nothing proves their rows, and without this somebody who forged one would have
/// access. The operator opens new ones.
async fn end_console_sessions(tx: &mut Write) -> Result<(), StoreError> {
    for every in ["DELETE FROM console_links", "DELETE FROM console_sessions"] {
        sql::query(every).execute(tx).await.map_err(failed(DOING))?;
    }
    Ok(())
}

/// Puts out of force the rows that do not fit. Returns the other rows that it put out of force, because the audit trail
/// contradicts them.
async fn keep_what_fits(
    is_intact: bool,
    tx: &mut Write,
    faults: &[RowFault],
    at: DateTime<Utc>,
) -> Result<Vec<RowFault>, StoreError> {
    let before = tx.forget_marks();
    let rows = read_rows(tx).await?;
    let record = match before {
        Some(_) => None,
        None => Some(Revocations::read(is_intact, tx, &rows).await?),
    };
    let mut presses_fit = true;
    let mut outdated = Vec::new();
    for (table, row) in &rows {
        match misfit(&tx.trust, before.as_deref(), table, row) {
            Some(_) if **table == PRESSES => presses_fit = false,
            Some(_) => settle(tx, table, row, at).await?,
            None => {
                let entry = tx.trust.values.entry_of(table, row).unwrap_or_default();
                if record
                    .as_ref()
                    .is_some_and(|record| record.speak_against(table, row, entry))
                {
                    outdated.push(row_fault(called(table, row), Misfit::Outdated, String::new()));
                    settle(tx, table, row, at).await?;
                } else {
                    keep(tx, (table, row))?;
                }
            }
        }
    }
    match (&before, &record) {
        (Some(before), _) => keep_revoked(tx, before, at)?,
        (None, Some(record)) => record.keep(tx.marks()?, at),
        (None, None) => {}
    }
    let presses_gone = faults.iter().any(|fault| fault.kind == Misfit::Gone.code());
    if !presses_fit || presses_gone || before.is_none() {
        count_presses_anew(tx).await?;
    }
    close_again(tx, before.as_deref()).await?;
    Ok(outdated)
}

/// Revoked tokens stay revoked, programs stay stopped, and a token whose row was removed does not return from a spool.
fn keep_revoked(tx: &mut Write, before: &Marks, at: DateTime<Utc>) -> Result<(), StoreError> {
    let entry = tx.entry();
    let marks = tx.marks()?;
    for (api, mark) in before.all_of("revoked") {
        marks.set(Whose::Revoked(api), mark.clone());
    }
    for (consumer, mark) in before.all_of("stopped") {
        marks.set(Whose::Stopped(consumer), mark.clone());
    }
    if let Some(lost) = before.get(Whose::Lost) {
        marks.set(Whose::Lost, lost.clone());
    }
    for (api, mark) in before.all_of("token") {
        let kept = marks.get(Whose::Token(api)).and_then(|kept| kept.number);
        if let Some(generation) = mark.number.filter(|_| kept < mark.number) {
            marks.revoke_up_to(api, generation, entry, at);
        }
    }
    Ok(())
}

/// Keeps a row that fits in force, as changed by the entry that it names.
fn keep(tx: &mut Write, (table, row): (&SealedTable, &Row)) -> Result<(), StoreError> {
    let Some(entry) = tx.trust.values.entry_of(table, row) else {
        return Ok(());
    };
    let ended = row_marks::ended(row).filter(|_| *table == ATTEMPTS);
    let (whose, mark) = match &ended {
        Some(api) => (Whose::Ended(api), ended_mark(row, entry)),
        None => match row_marks::whose(table, row) {
            Some(whose) => (whose, row_marks::mark(table, row, entry)),
            None => return Ok(()),
        },
    };
    let marks = tx.marks()?;
    if marks.get(whose).is_none_or(|known| known.number <= mark.number) {
        marks.set(whose, mark);
    }
    Ok(())
}

/// Puts a row that does not fit out of force for good.
async fn settle(tx: &mut Write, table: &SealedTable, row: &Row, at: DateTime<Utc>) -> Result<(), StoreError> {
    let number: i64 = row.try_get("number").map_err(failed(DOING))?;
    let at = stored_time(at);
    let name = table.name;
    let change = match *table {
        // As revoked, for good: what a check rejected, a later answer of Upstox's would bring back.
        TOKENS => "SET rejected_at = coalesce(rejected_at, $2), revoked_at = coalesce(revoked_at, $2)",
        COOLDOWNS => "SET length_ms = NULL",
        ATTEMPTS if has_ended(row) => "SET sealed_code = NULL, sealed_answer = NULL",
        ATTEMPTS => {
            "SET status = 'closed', closed_at = $2, failure = $3, failure_detail = 'changed outside Vega',
                 sealed_code = NULL, sealed_answer = NULL"
        }
        KEYS | LINKS | SESSIONS => {
            let delete = format!("DELETE FROM {name} WHERE rowid = $1");
            sql::query(AssertSqlSafe(delete))
                .bind(number)
                .execute(tx)
                .await
                .map_err(failed(DOING))?;
            return Ok(());
        }
        _ => return Ok(()),
    };
    sql::query(AssertSqlSafe(format!("UPDATE {name} {change} WHERE rowid = $1")))
        .bind(number)
        .bind(at)
        .bind(FailureReason::NeedsReview.code())
        .execute(tx)
        .await
        .map_err(failed(DOING))?;
    tx.seal(table, number).await?;
    if let Some(row) = tx.row(table, number).await? {
        keep(tx, (table, &row))?;
    }
    Ok(())
}

/// Counts the presses that are there, and numbers them again.
async fn count_presses_anew(tx: &mut Write) -> Result<(), StoreError> {
    sql::query(
        "UPDATE otp_requests SET position =
             (SELECT count(*) FROM otp_requests AS earlier
              WHERE earlier.mobile_number = otp_requests.mobile_number AND earlier.id <= otp_requests.id)",
    )
    .execute(tx)
    .await
    .map_err(failed(DOING))?;
    for row in row_values::all(tx, &PRESSES).await? {
        tx.seal_and_note(&PRESSES, &row).await?;
    }
    Ok(())
}

/// Stops an account whose row was removed, until the operator opens it.
async fn close_again(tx: &mut Write, before: Option<&Marks>) -> Result<(), StoreError> {
    let Some(before) = before else { return Ok(()) };
    let known: Vec<(&str, &Mark)> = before.all_of("closed").collect();
    for (mobile, mark) in known {
        let (Some((account, reason)), Some(since)) = (&mark.closed, mark.time) else {
            continue;
        };
        let words = changed_outside(row_marks::closed(account), Misfit::Gone).to_string();
        let put: Option<i64> = sql::query_scalar(
            "INSERT INTO cooldowns (mobile_number, account, since, reason, detail) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (mobile_number) DO NOTHING RETURNING rowid",
        )
        .bind(mobile)
        .bind(account)
        .bind(since)
        .bind(reason)
        .bind(words)
        .fetch_optional(tx)
        .await
        .map_err(failed(DOING))?;
        if let Some(number) = put
            && let Some(row) = tx.row(&COOLDOWNS, number).await?
        {
            tx.seal_and_note(&COOLDOWNS, &row).await?;
        }
    }
    Ok(())
}
