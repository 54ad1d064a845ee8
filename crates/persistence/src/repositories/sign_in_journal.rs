//! The journal of sign-ins and the OTP ledger in SQLite. Every method is one commit, made before the effect that it
//! announces; a press that Vega did not make is recorded as soon as it is seen.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::clock_reading::ClockReading;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, ApiName, AttemptId, ClientId, Generation, MobileNumber, RunId};
use vega_domain::ports::{
    CodeDelivery, Delivery, LeftAnswer, NewAttempt, OtpGrant, OtpLedger, SignInAttempts, StoreError,
    UnfinishedAttempt,
};
use vega_domain::secret::{AuthorizationCode, OAuthState, RawAnswer};
use vega_domain::sign_in::{AttemptState, OtpAllowance, OtpBudget};

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::repositories::attempt_rows;
use crate::repositories::audit_trail;
use crate::repositories::otp_rows;
use crate::sealing::fingerprint::Subject;
use crate::sealing::seal::{Place, Sealer};
use crate::sql;
use crate::sql::{FromRow, Session, record};
use crate::stored::unreadable;

macro_rules! attempt_columns {
    () => {
        "SELECT *,
                EXISTS (SELECT 1 FROM otp_requests WHERE attempt_id = sign_in_attempts.id) AS otp_pressed
         FROM sign_in_attempts"
    };
}

/// `SignInAttempts`, `OtpLedger` and `CodeDelivery` over SQLite.
#[derive(Debug, Clone)]
pub struct SqlSignInJournal(DataSource);

impl SqlSignInJournal {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }
}

#[async_trait]
impl SignInAttempts for SqlSignInJournal {
    async fn open_attempt(&self, attempt: &NewAttempt, audit: &AuditEntry) -> Result<(), StoreError> {
        const DOING: &str = "open a sign-in attempt";
        let mut tx = self.0.write_of_sign_in().await?;
        let begun: i64 = sql::query_scalar(
            "INSERT INTO sign_in_attempts (id, run_id, account, api, client_id, generation, state_hash, status, opened_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'opened', $8) RETURNING rowid",
        )
        .bind(attempt.id.as_uuid())
        .bind(attempt.run.as_uuid())
        .bind(attempt.account.as_str())
        .bind(attempt.api.as_str())
        .bind(attempt.client_id.as_str())
        .bind(attempt.generation.get())
        .bind(hash_of(&attempt.state))
        .bind(attempt.opened_at)
        .fetch_one(&mut tx)
        .await
        .map_err(failed(DOING))?;
        attempt_rows::begun(&mut tx, attempt.id, begun).await?;
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn seal_code(
        &self,
        attempt: AttemptId,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        const DOING: &str = "seal a code";
        let mut tx = self.0.write_of_sign_in().await?;
        let row = AttemptRow::load(&mut tx, attempt).await?;
        let sealed = tx.sealer.seal(row.place("code"), code.expose().as_bytes())?;
        attempt_rows::refuse_changed(&mut tx, attempt).await?;
        let before = attempt_rows::before(&mut tx, attempt).await?;
        let changed = sql::query(
            "UPDATE sign_in_attempts SET status = 'code_sealed', sealed_code = $2, exchange_sent_at = $3
             WHERE id = $1 AND status = 'opened'",
        )
        .bind(attempt.as_uuid())
        .bind(sealed)
        .bind(at)
        .execute(&mut tx)
        .await
        .map_err(failed(DOING))?;
        if changed != 1 {
            return Err(StoreError::Conflict(
                "this attempt already intends an exchange".into(),
            ));
        }
        attempt_rows::changed(&mut tx, attempt, before).await?;
        audit_trail::insert_about(&mut tx, audit, Subject::Code(code)).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn seal_answer(
        &self,
        attempt: AttemptId,
        answer: &RawAnswer,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        const DOING: &str = "seal an answer";
        let mut tx = self.0.write_of_sign_in().await?;
        let row = AttemptRow::load(&mut tx, attempt).await?;
        let sealed = tx.sealer.seal(row.place("answer"), answer.expose())?;
        attempt_rows::refuse_changed(&mut tx, attempt).await?;
        let before = attempt_rows::before(&mut tx, attempt).await?;
        let changed = sql::query(
            "UPDATE sign_in_attempts AS attempt SET status = 'answered', sealed_answer = $2, answer_status = $3,
                 answer_complete = $4, answered_at = $5, sealed_code = NULL,
                 closed_at = NULL, failure = NULL, failure_detail = NULL
             WHERE id = $1 AND (status = 'code_sealed' OR status = 'closed' AND failure = $6
                 AND NOT EXISTS (SELECT 1 FROM sign_in_attempts AS later
                                 WHERE later.api = attempt.api AND later.rowid > attempt.rowid))",
        )
        .bind(attempt.as_uuid())
        .bind(sealed)
        .bind(answer.status)
        .bind(i64::from(answer.complete))
        .bind(at)
        // Somebody else cleared up meanwhile, and did not know that there is an answer.
        .bind(FailureReason::OutcomeUnknown.code())
        .execute(&mut tx)
        .await
        .map_err(failed(DOING))?;
        if changed != 1 {
            // Whoever has it erases it then, so it is told apart here.
            if row.state()? == AttemptState::Closed {
                let late = AuditEntry {
                    detail: format!("{}; it came too late, and is not used", audit.detail),
                    ..audit.clone()
                };
                audit_trail::insert_about(&mut tx, &late, Subject::Answer(answer)).await?;
                tx.commit().await.map_err(failed(DOING))?;
            }
            return Err(StoreError::Conflict("this attempt waits for no answer".into()));
        }
        attempt_rows::changed(&mut tx, attempt, before).await?;
        audit_trail::insert_about(&mut tx, audit, Subject::Answer(answer)).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn close(
        &self,
        attempt: AttemptId,
        failure: &Failure,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        const DOING: &str = "close a sign-in attempt";
        let mut tx = self.0.write_of_sign_in().await?;
        if attempt_rows::close(&mut tx, attempt, failure, at).await? {
            audit_trail::insert(&mut tx, audit).await?;
        }
        tx.commit().await.map_err(failed(DOING))
    }

    async fn unfinished(&self) -> Result<Vec<UnfinishedAttempt>, StoreError> {
        let mut reading = self.0.read().await?;
        let rows = sql::query(concat!(
            attempt_columns!(),
            " WHERE closed_at IS NULL ORDER BY id"
        ))
        .fetch_all(&mut reading)
        .await
        .map_err(failed("look for unfinished attempts"))?;
        rows.iter()
            .map(|row| {
                let attempt = AttemptRow::from_row(row).map_err(unreadable)?;
                match attempt_rows::refuse_changed_row(&reading, row) {
                    Ok(()) => attempt.into_unfinished(&reading.sealer),
                    Err(error) => attempt.into_left_alone(&error),
                }
            })
            .collect()
    }

    async fn unsaved_failure(&self, run: RunId, api: &ApiName) -> Result<Option<Failure>, StoreError> {
        let row: Option<(String, Option<String>)> = sql::query_as(
            "SELECT attempt.failure, attempt.failure_detail FROM sign_in_attempts AS attempt
             JOIN execution_steps AS step ON step.run_id = attempt.run_id AND step.api = attempt.api
             WHERE attempt.run_id = $1 AND attempt.api = $2 AND attempt.status = 'closed'
                 AND attempt.closed_at >= step.updated_at
             ORDER BY attempt.id DESC LIMIT 1",
        )
        .bind(run.as_uuid())
        .bind(api.as_str())
        .fetch_optional(&mut self.0.session().await?)
        .await
        .map_err(failed("look for how a sign-in ended"))?;
        let Some((reason, detail)) = row else {
            return Ok(None);
        };
        let reason = FailureReason::parse(&reason).map_err(unreadable)?;
        Ok(Some(Failure::new(reason, detail.unwrap_or_default())))
    }
}

#[async_trait]
impl OtpLedger for SqlSignInJournal {
    async fn request_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        budget: OtpBudget,
        now: &ClockReading,
    ) -> Result<OtpGrant, StoreError> {
        const DOING: &str = "record an OTP request";
        let mut tx = self.0.write_of_sign_in().await?;
        attempt_rows::refuse_changed(&mut tx, attempt).await?;
        let row = AttemptRow::load(&mut tx, attempt).await?;
        if otp_rows::has_press(&mut tx, attempt).await? {
            return Ok(OtpGrant::PressedBefore);
        }
        otp_rows::refuse_changed(&mut tx, mobile, budget.presses).await?;
        let presses = otp_rows::redated_presses(&mut tx, mobile, budget.presses, now).await?;
        let (grant, kind, detail) = match budget.allowance(&presses, now) {
            OtpAllowance::Left(left) => {
                otp_rows::record(&mut tx, attempt, mobile, now).await?;
                (
                    OtpGrant::Granted,
                    AuditKind::OtpRequested,
                    format!("{} left in this window", left - 1),
                )
            }
            OtpAllowance::UsedUp { until } => {
                let in_window = presses.iter().filter(|press| press.age(now) < budget.window);
                let detail = format!("{} presses in the window; next at {until}", in_window.count());
                (OtpGrant::BudgetUsedUp { until }, AuditKind::OtpWithheld, detail)
            }
        };
        audit_trail::insert(&mut tx, &row.audit(now.at, kind, detail)?).await?;
        tx.commit().await.map_err(failed(DOING))?;
        Ok(grant)
    }

    async fn note_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        now: &ClockReading,
    ) -> Result<(), StoreError> {
        let mut tx = self.0.write_of_sign_in().await?;
        let row = AttemptRow::load(&mut tx, attempt).await?;
        if otp_rows::has_press(&mut tx, attempt).await? {
            return Ok(());
        }
        otp_rows::record(&mut tx, attempt, mobile, now).await?;
        let entry = row.audit(
            now.at,
            AuditKind::OtpRequestedInWindow,
            "pressed by the human".into(),
        )?;
        audit_trail::insert(&mut tx, &entry).await?;
        tx.commit().await.map_err(failed("record an OTP request"))
    }

    async fn otp_presses(
        &self,
        mobiles: &[MobileNumber],
        newest: u32,
    ) -> Result<Vec<Vec<ClockReading>>, StoreError> {
        let mut reading = self.0.read().await?;
        let mut presses = Vec::with_capacity(mobiles.len());
        for mobile in mobiles {
            presses.push(otp_rows::newest_presses(&mut reading, mobile, newest).await?);
        }
        Ok(presses)
    }
}

#[async_trait]
impl CodeDelivery for SqlSignInJournal {
    async fn deliver_code(
        &self,
        state: &OAuthState,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
    ) -> Result<Delivery, StoreError> {
        const DOING: &str = "seal a code that came back";
        // Anybody may send redirects: only one that an open sign-in waits for gets to the writer.
        let Some((row, _)) = self.by_state(state).await? else {
            return Ok(Delivery::Unknown);
        };
        if row.state()? != AttemptState::Opened || row.sealed_code.is_some() {
            return row.takes_no_code();
        }
        let mut tx = self.0.write().await?;
        let sealed = tx.sealer.seal(row.place("code"), code.expose().as_bytes())?;
        let attempt = AttemptId::from_uuid(row.id);
        attempt_rows::refuse_changed(&mut tx, attempt).await?;
        let before = attempt_rows::before(&mut tx, attempt).await?;
        let changed = sql::query(
            "UPDATE sign_in_attempts SET sealed_code = $2
             WHERE id = $1 AND status = 'opened' AND sealed_code IS NULL",
        )
        .bind(row.id)
        .bind(sealed)
        .execute(&mut tx)
        .await
        .map_err(failed(DOING))?;
        if changed != 1 {
            // Somebody was quicker.
            let row = AttemptRow::load(&mut tx, attempt).await?;
            return row.takes_no_code();
        }
        attempt_rows::changed(&mut tx, attempt, before).await?;
        let entry = row.audit(at, AuditKind::CodeReceived, String::new())?;
        audit_trail::insert_about(&mut tx, &entry, Subject::Code(code)).await?;
        tx.commit().await.map_err(failed(DOING))?;
        Ok(Delivery::Taken(row.api_name()?))
    }

    async fn delivered_code(&self, state: &OAuthState) -> Result<Option<AuthorizationCode>, StoreError> {
        match self.by_state(state).await? {
            Some((row, sealer)) => row.delivered(&sealer),
            None => Ok(None),
        }
    }
}

impl SqlSignInJournal {
    /// With the sealer of the moment in which it was read.
    async fn by_state(&self, state: &OAuthState) -> Result<Option<(AttemptRow, Arc<Sealer>)>, StoreError> {
        let mut reading = self.0.read().await?;
        let row = sql::query(concat!(attempt_columns!(), " WHERE state_hash = $1"))
            .bind(hash_of(state))
            .fetch_optional(&mut reading)
            .await
            .map_err(failed("find the sign-in of a redirect"))?;
        let Some(row) = row else { return Ok(None) };
        attempt_rows::refuse_changed_row(&reading, &row)?;
        let row = AttemptRow::from_row(&row).map_err(unreadable)?;
        Ok(Some((row, Arc::clone(&reading.sealer))))
    }
}

/// The stored form of a `state`: enough to find its attempt, not enough to forge a redirect.
fn hash_of(state: &OAuthState) -> Vec<u8> {
    Sha256::digest(state.expose()).to_vec()
}

record! {
    struct AttemptRow {
        id: Uuid,
        run_id: Uuid,
        account: String,
        api: String,
        client_id: String,
        generation: u32,
        status: String,
        opened_at: DateTime<Utc>,
        otp_pressed: bool,
        exchange_sent_at: Option<DateTime<Utc>>,
        answer_status: Option<u16>,
        answer_complete: Option<bool>,
        sealed_code: Option<Vec<u8>>,
        sealed_answer: Option<Vec<u8>>,
    }
}

impl AttemptRow {
    async fn load(tx: &mut Session, attempt: AttemptId) -> Result<Self, StoreError> {
        let row: Option<Self> = sql::query_as(concat!(attempt_columns!(), " WHERE id = $1"))
            .bind(attempt.as_uuid())
            .fetch_optional(tx)
            .await
            .map_err(failed("read a sign-in attempt"))?;
        row.ok_or_else(|| StoreError::Conflict(format!("sign-in attempt {attempt} does not exist")))
    }

    fn state(&self) -> Result<AttemptState, StoreError> {
        AttemptState::parse(&self.status).map_err(unreadable)
    }

    fn api_name(&self) -> Result<ApiName, StoreError> {
        ApiName::new(&*self.api).map_err(unreadable)
    }

    /// The result for a code that came too late, or after another code.
    fn takes_no_code(&self) -> Result<Delivery, StoreError> {
        let api = self.api_name()?;
        Ok(match self.state()? {
            AttemptState::Closed => Delivery::TooLate(api),
            _ => Delivery::CameBefore(api),
        })
    }

    fn audit(&self, at: DateTime<Utc>, kind: AuditKind, detail: String) -> Result<AuditEntry, StoreError> {
        let account = AccountId::new(&*self.account).map_err(unreadable)?;
        let entry = AuditEntry::new(at, kind, detail).about(&account, &self.api_name()?);
        Ok(entry.in_run(RunId::from_uuid(self.run_id)))
    }

    fn place(&self, column: &'static str) -> Place<'_> {
        Place {
            table: "sign_in_attempts",
            column,
            api: &self.api,
            client_id: &self.client_id,
            generation: self.generation,
        }
    }

    /// The code that was delivered, while its exchange was not yet announced.
    fn delivered(&self, sealer: &Sealer) -> Result<Option<AuthorizationCode>, StoreError> {
        let is_unsent = self.state()? == AttemptState::Opened;
        let Some(envelope) = self.sealed_code.as_ref().filter(|_| is_unsent) else {
            return Ok(None);
        };
        let code = sealer.open(self.place("code"), envelope)?;
        let code = std::str::from_utf8(&code).map_err(unreadable)?;
        Ok(Some(AuthorizationCode::new(code)))
    }

    /// An attempt that was changed outside Vega: nothing of it is used.
    fn into_left_alone(mut self, error: &StoreError) -> Result<UnfinishedAttempt, StoreError> {
        (self.sealed_code, self.sealed_answer) = (None, None);
        let words = error.to_string();
        let (account, api) = (self.account.clone(), self.api.clone());
        Ok(UnfinishedAttempt {
            opened_at: self.opened_at,
            // What was done in it is not known.
            otp_pressed: true,
            delivered: None,
            id: AttemptId::from_uuid(self.id),
            run: RunId::from_uuid(self.run_id),
            account: AccountId::new(account).map_err(unreadable)?,
            api: ApiName::new(api).map_err(unreadable)?,
            client_id: ClientId::new(self.client_id).map_err(unreadable)?,
            generation: Generation::new(self.generation).map_err(unreadable)?,
            exchange_sent_at: self.exchange_sent_at.or(Some(self.opened_at)),
            answer: LeftAnswer::Unreadable(words),
        })
    }

    fn into_unfinished(self, sealer: &Sealer) -> Result<UnfinishedAttempt, StoreError> {
        let answer = match &self.sealed_answer {
            None => LeftAnswer::None,
            Some(envelope) => match sealer.open(self.place("answer"), envelope) {
                Ok(body) => {
                    let complete = self.answer_complete.unwrap_or(false);
                    LeftAnswer::Sealed(RawAnswer::new(
                        self.answer_status.unwrap_or(0),
                        body.to_vec(),
                        complete,
                    ))
                }
                Err(error) => LeftAnswer::Unreadable(error.to_string()),
            },
        };
        // One that does not open is as good as none: it was not sent.
        let delivered = self.delivered(sealer).unwrap_or_default();
        Ok(UnfinishedAttempt {
            opened_at: self.opened_at,
            otp_pressed: self.otp_pressed,
            delivered,
            id: AttemptId::from_uuid(self.id),
            run: RunId::from_uuid(self.run_id),
            account: AccountId::new(self.account).map_err(unreadable)?,
            api: ApiName::new(self.api).map_err(unreadable)?,
            client_id: ClientId::new(self.client_id).map_err(unreadable)?,
            generation: Generation::new(self.generation).map_err(unreadable)?,
            exchange_sent_at: self.exchange_sent_at,
            answer,
        })
    }
}
