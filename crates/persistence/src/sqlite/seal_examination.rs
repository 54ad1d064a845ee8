//! Values that do not open: whether one was changed or moved from another row, and its place in the audit trail.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::ApiName;
use vega_domain::ports::StoreError;

use crate::hex::hex;
use crate::sealing::seal::{Place, Sealer, Unopened};
use crate::sqlite::audit_trail;
use crate::sqlite::causes::failed;
use crate::sqlite::data_source::DataSource;
use crate::sqlite::sealed_values;

impl DataSource {
    /// Opens every sealed value once. One that does not open goes on record, unless it is there already. Returns what
    /// was found now.
    pub async fn examine_seals(&self, at: DateTime<Utc>) -> Result<Vec<AuditEntry>, StoreError> {
        const DOING: &str = "examine the sealed values";
        let mut broken = Vec::new();
        let mut reader = self.reader().acquire().await.map_err(failed(DOING))?;
        for column in &sealed_values::ALL {
            for value in column.values(&mut reader).await? {
                let place = value.place(column);
                let Some(why) = unopened(&mut reader, self.sealer(), place, &value.envelope).await? else {
                    continue;
                };
                let mut entry = AuditEntry::new(
                    at,
                    AuditKind::SealBroken,
                    format!("{why} [{}]", mark(&value.envelope)),
                );
                entry.api = ApiName::new(place.api).ok();
                broken.push(entry);
            }
        }
        drop(reader);
        if broken.is_empty() {
            return Ok(broken);
        }
        let mut tx = self.write_whatever_it_is().await?;
        let mut new = Vec::new();
        for entry in broken {
            let known: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM audit_events WHERE kind = $1 AND detail = $2)",
            )
            .bind(entry.kind.code())
            .bind(&entry.detail)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed(DOING))?;
            if !known {
                audit_trail::insert(&mut tx, &entry).await?;
                new.push(entry);
            }
        }
        tx.commit().await.map_err(failed(DOING))?;
        Ok(new)
    }
}

/// Why the value in this place does not open; `None` if it does.
pub(crate) async fn unopened(
    connection: &mut SqliteConnection,
    sealer: &Sealer,
    place: Place<'_>,
    envelope: &[u8],
) -> Result<Option<StoreError>, StoreError> {
    let Err(why) = sealer.try_open(place, envelope) else {
        return Ok(None);
    };
    let mut words = format!("{place} {why}");
    if why == Unopened::Changed {
        words = format!("{place} was changed outside Vega: it does not open");
        for column in &sealed_values::ALL {
            for row in column.rows(connection).await? {
                let origin = row.place(column);
                if sealer.try_open(origin, envelope).is_ok() {
                    words = format!(
                        "{place} holds the value of {origin}: somebody moved it there, and it does not open"
                    );
                }
            }
        }
    }
    Ok(Some(StoreError::Unreadable(words)))
}

/// Tells one broken value from another without telling what is in it.
fn mark(envelope: &[u8]) -> String {
    hex(&Sha256::digest(envelope)[..4])
}
