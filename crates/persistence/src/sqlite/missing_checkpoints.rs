//! Whether what must not be undone by an older file is kept outside the database. Where it is not, for a full disk or a file
//! that was lost, it is tried again, and told until it is.

use chrono::{DateTime, Utc};
use vega_domain::audit::AuditKind;
use vega_domain::ports::StoreError;

use crate::audit::chain::Value;
use crate::audit::checkpoints::{Cause, Head, Newest};
use crate::sqlite::audit_rows;
use crate::sqlite::causes::failed;
use crate::sqlite::data_source::DataSource;
use crate::sqlite::write::Reading;
use crate::stored::unreadable;

const DOING: &str = "look for the checkpoint";

/// The trail's end, which has to be kept.
pub(crate) struct MissingHead {
    chain_id: Vec<u8>,
    entry: i64,
    value: Value,
    /// When the last token was revoked, if one was since the last head.
    revoked_at: Option<DateTime<Utc>>,
}

impl MissingHead {
    pub(crate) async fn keep(self, data: &DataSource, at: DateTime<Utc>) -> Result<(), StoreError> {
        let head = Head {
            at: self.revoked_at.unwrap_or(at),
            cause: self.revoked_at.map_or(Cause::Change, |_| Cause::Revocation),
            chain_id: self.chain_id,
            entry: self.entry,
            value: self.value,
        };
        data.heads().append_beside(head).await
    }
}

impl DataSource {
    /// Keeps the checkpoint of what was done last, if it is missing. Returns why it still is; also where it cannot be told.
    pub async fn missing_checkpoint(&self, at: DateTime<Utc>) -> Option<String> {
        let kept = async {
            match self.missing_head().await? {
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

    /// What has to be kept and is not. Nothing of a database that does not count.
    pub(crate) async fn missing_head(&self) -> Result<Option<MissingHead>, StoreError> {
        let mut reading = self.read().await?;
        if reading.marks.is_err() {
            return Ok(None);
        }
        let missing = self.missing_in(&mut reading).await;
        reading.end().await?;
        missing
    }

    async fn missing_in(&self, reading: &mut Reading) -> Result<Option<MissingHead>, StoreError> {
        let chain_id = audit_rows::chain_id(reading).await?;
        let newest = self.newest_head(chain_id.clone()).await?;
        // A small part of the trail: each run leaves a head, too.
        let since: Vec<(String, DateTime<Utc>)> =
            sqlx::query_as("SELECT kind, at FROM audit_events WHERE id > $1")
                .bind(newest.head.map_or(-1, |head| head.entry))
                .fetch_all(&mut **reading)
                .await
                .map_err(failed(DOING))?;
        let cause = |kind: &str| Cause::of(AuditKind::parse(kind).ok()?);
        if newest.is_told_of && !since.iter().any(|(kind, _)| cause(kind).is_some()) {
            return Ok(None);
        }
        let revoked = since
            .iter()
            .filter(|(kind, _)| !matches!(cause(kind), None | Some(Cause::Change)));
        let last: Option<(i64, Option<Vec<u8>>)> =
            sqlx::query_as("SELECT id, chain FROM audit_events ORDER BY id DESC LIMIT 1")
                .fetch_optional(&mut **reading)
                .await
                .map_err(failed(DOING))?;
        let (entry, value) = match last {
            Some((entry, value)) => (entry, Value::try_from(value.unwrap_or_default())),
            None => (0, Ok(self.chain().beginning(&chain_id))),
        };
        let value = value.map_err(|_| unreadable(format!("audit entry {entry} has no chain value")))?;
        Ok(Some(MissingHead {
            chain_id,
            entry,
            value,
            revoked_at: revoked.map(|(_, at)| *at).max(),
        }))
    }

    pub(crate) async fn newest_head(&self, chain_id: Vec<u8>) -> Result<Newest, StoreError> {
        let heads = self.heads().clone();
        tokio::task::spawn_blocking(move || heads.newest(&chain_id))
            .await
            .unwrap_or_else(|panicked| Err(unreadable(panicked)))
    }
}
