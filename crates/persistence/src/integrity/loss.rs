//! After the last commits were lost with a database server: another one took its place, and had not got them. Decides what is done so
//! that nothing goes wrong for it: whoever had the lease has it no more, no code is sent a second time, and no number is pressed for
//! before a window has passed.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, ApiName, AttemptId, RunId};
use vega_domain::ports::StoreError;

use crate::audit::chain::Value;
use crate::audit::checkpoints::{Cause, Checkpoint};
use crate::audit::database_mistrust::DatabaseMistrust;
use crate::audit::latest_changes::{Mark, Whose};
use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::write::Write;
use crate::postgres::history::History;
#[cfg(feature = "injected-defects")]
use crate::postgres::injected_defects::InjectedDefect;
use crate::repositories::{attempt_rows, audit_rows, audit_trail};
use crate::sql;
use crate::sql::{Session, record};
use crate::stored::unreadable;

const DOING: &str = "make a loss of commits safe";

const LOST: &str = "the last commits were lost with a database server, so how far it got is not known";

record! {
    struct OpenAttempt {
        id: Uuid,
        run_id: Uuid,
        account: String,
        api: String,
    }
}

impl DataSource {
    /// Ends this write, which has found a loss, and makes the loss safe unless another process did so before.
    pub(crate) async fn make_safe(&self, mut tx: Write) -> Result<(), StoreError> {
        let (
            Some(DatabaseMistrust::Lost {
                last,
                kept,
                timeline,
                by_this_process,
            }),
            Some(history),
        ) = (tx.mistrust().cloned(), tx.history())
        else {
            return Ok(());
        };
        let Some(own) = tx.go_on_without_what_was_lost() else {
            return Ok(());
        };
        // As whatever else counts presses, by one clock.
        let at = match self.engine().now() {
            Some(now) => now,
            None => time(&mut tx).await?,
        };
        if own.has_made_safe_since(timeline) {
            if by_this_process && let Some(lost) = own.get(Whose::Lost) {
                // It may have pressed since, on a server that was replaced.
                let time = Some(at);
                tx.marks()?.set(Whose::Lost, Mark { time, ..lost.clone() });
            }
            return self.take_over_what_is_safe(tx, history, at).await;
        }
        no_lease_is_in_force(&mut tx, history).await?;
        let words = format!(
            "another database server took the place of the one that was there (timeline {}), and had not got the last commits: the \
             record goes on after entry {last}, and entry {kept} was written. Keys and tokens that were revoked in between count \
             again; sign-ins that were open are closed, and nobody is asked for an OTP before a window has passed",
            history.timeline
        );
        tracing::error!("{words}");
        let lost = Mark {
            number: Some(history.timeline),
            time: Some(at),
            ..Mark::of(tx.entry())
        };
        tx.marks()?.set(Whose::Lost, lost);
        audit_trail::insert(&mut tx, &AuditEntry::new(at, AuditKind::CommitsLost, words)).await?;
        if closes_what_is_open() {
            close_what_is_open(&mut tx, LOST, at).await?;
        }
        tx.commit().await.map_err(failed(DOING))
    }

    /// Another process did all of it: what this one knew counts no more, here and beside the key of this machine.
    async fn take_over_what_is_safe(
        &self,
        mut tx: Write,
        history: History,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let chain_id = audit_rows::chain_id(&mut tx).await?;
        let (entry, value) = tx.end();
        let value = Value::try_from(value.to_vec())
            .map_err(|_| unreadable(format!("audit entry {entry} has no chain value")))?;
        tx.commit().await.map_err(failed(DOING))?;
        let checkpoint = Checkpoint {
            at,
            cause: Cause::Accepted,
            chain_id: chain_id.clone(),
            entry,
            value,
        };
        if let Err(error) = self.checkpoints().append_beside(checkpoint).await {
            tracing::error!(%error, "that the loss of commits is safe is not kept beside the key: the next start finds it once more");
        }
        self.trust().noticed_a_loss(entry, &value, Some(history));
        self.trust().counts_acceptances(&chain_id);
        tracing::warn!("another machine has made the loss of the last commits safe");
        Ok(())
    }
}

fn closes_what_is_open() -> bool {
    #[cfg(feature = "injected-defects")]
    if InjectedDefect::ResumedAfterALoss.is_in_force() {
        return false;
    }
    true
}

/// The database's time, which is the installation's where its clock is not known yet.
async fn time(tx: &mut Write) -> Result<DateTime<Utc>, StoreError> {
    let micros: i64 = sql::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        .fetch_one(tx)
        .await
        .map_err(failed(DOING))?;
    DateTime::from_timestamp_micros(micros).ok_or_else(|| unreadable("the database has no time"))
}

/// Whoever had the lease may have taken it in a commit that was lost, so nobody has it now.
pub(crate) async fn no_lease_is_in_force(tx: &mut Session, history: History) -> Result<(), StoreError> {
    sql::query("UPDATE writer SET epoch = greatest(epoch, $1) + 1 WHERE id = 1")
        .bind(history.first_epoch())
        .execute(tx)
        .await
        .map_err(failed(DOING))?;
    sql::query("UPDATE login_lease SET released = true WHERE id = 1")
        .execute(tx)
        .await
        .map_err(failed(DOING))?;
    Ok(())
}

/// What they did after the last commit that is there is not known. An answer that is there is not lost, and is finished as always.
pub(crate) async fn close_what_is_open(
    tx: &mut Write,
    words: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let open: Vec<OpenAttempt> = sql::query_as(
        "SELECT id, run_id, account, api FROM sign_in_attempts
         WHERE closed_at IS NULL AND status <> 'answered' ORDER BY rowid",
    )
    .fetch_all(tx)
    .await
    .map_err(failed(DOING))?;
    for attempt in open {
        let failure = Failure::new(FailureReason::OutcomeUnknown, words);
        if attempt_rows::close(tx, AttemptId::from_uuid(attempt.id), &failure, at).await? {
            let entry = AuditEntry {
                account: Some(AccountId::new(&attempt.account).map_err(unreadable)?),
                api: Some(ApiName::new(&attempt.api).map_err(unreadable)?),
                run: Some(RunId::from_uuid(attempt.run_id)),
                ..AuditEntry::new(at, AuditKind::AttemptClosed, failure.to_string())
            };
            audit_trail::insert(tx, &entry).await?;
        }
    }
    Ok(())
}
