//! Writes the checkpoint of the latest change that an older file must not undo, where it is missing: after a full disk, or when
//! the file was lost. Reports the reason until it succeeds.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use vega_domain::audit::AuditKind;
use vega_domain::ports::StoreError;

use crate::audit::chain::Value;
use crate::audit::checkpoints::{Cause, Checkpoint};
use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::write::Reading;
use crate::repositories::audit_rows;
use crate::sql;
use crate::stored::unreadable;

const DOING: &str = "look for the checkpoint";

/// The trail's end, which has to be kept.
pub(crate) struct MissingCheckpoint {
    chain_id: Vec<u8>,
    entry: i64,
    value: Value,
    /// When the last token was revoked, if one was since the last checkpoint.
    revoked_at: Option<DateTime<Utc>>,
}

impl MissingCheckpoint {
    pub(crate) async fn keep(self, data: &DataSource, at: DateTime<Utc>) -> Result<(), StoreError> {
        let checkpoint = Checkpoint {
            at: self.revoked_at.unwrap_or(at),
            cause: self.revoked_at.map_or(Cause::Change, |_| Cause::Revocation),
            chain_id: self.chain_id,
            entry: self.entry,
            value: self.value,
        };
        data.checkpoints().append_beside(checkpoint).await
    }
}

impl DataSource {
    /// Writes the checkpoint of the latest change, if it is missing. Returns why it is still missing, or why that could
    /// not be found out.
    pub async fn missing_checkpoint(&self, at: DateTime<Utc>) -> Option<String> {
        let kept = async {
            match self.checkpoint_to_keep().await? {
                Some(missing) => missing.keep(self, at).await,
                None => Ok(()),
            }
        };
        let error = kept.await.err()?;
        Some(format!(
            "what was revoked last has no checkpoint beside the key, so an older copy of the database could bring it back \
             unnoticed: {error}. Mend that; Vega then keeps it by itself"
        ))
    }

    /// The checkpoint that must be written and is missing. `None` where the database as a whole is not trusted.
    pub(crate) async fn checkpoint_to_keep(&self) -> Result<Option<MissingCheckpoint>, StoreError> {
        let mut reading = self.read().await?;
        if reading.judge.marks.is_err() {
            return Ok(None);
        }
        let missing = self.missing_in(&mut reading).await;
        reading.end().await?;
        missing
    }

    async fn missing_in(&self, reading: &mut Reading) -> Result<Option<MissingCheckpoint>, StoreError> {
        let chain_id = audit_rows::chain_id(reading).await?;
        let newest = self.checkpoints().newest(&chain_id)?;
        // Each run leaves a checkpoint, too, but checks may go on for weeks without one.
        let kinds = AuditKind::ALL.iter().filter(|kind| Cause::of(**kind).is_some());
        let kinds = sql::list_of_codes(kinds.map(|kind| kind.code()));
        let query = format!("SELECT kind, at FROM audit_events WHERE id > $1 AND kind IN ({kinds})");
        let since: Vec<(String, DateTime<Utc>)> = sql::query_as(AssertSqlSafe(query))
            .bind(newest.checkpoint.map_or(-1, |checkpoint| checkpoint.entry))
            .fetch_all(reading)
            .await
            .map_err(failed(DOING))?;
        let cause = |kind: &str| Cause::of(AuditKind::parse(kind).ok()?);
        if newest.is_told_of && since.is_empty() {
            return Ok(None);
        }
        let revoked = since
            .iter()
            .filter(|(kind, _)| !matches!(cause(kind), None | Some(Cause::Change)));
        let last: Option<(i64, Option<Vec<u8>>)> =
            sql::query_as("SELECT id, chain FROM audit_events ORDER BY id DESC LIMIT 1")
                .fetch_optional(reading)
                .await
                .map_err(failed(DOING))?;
        let (entry, value) = match last {
            Some((entry, value)) => (entry, Value::try_from(value.unwrap_or_default())),
            None => (0, Ok(self.chain().beginning(&chain_id))),
        };
        let value = value.map_err(|_| unreadable(format!("audit entry {entry} has no chain value")))?;
        Ok(Some(MissingCheckpoint {
            chain_id,
            entry,
            value,
            revoked_at: revoked.map(|(_, at)| *at).max(),
        }))
    }
}
