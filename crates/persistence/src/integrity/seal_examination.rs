//! Finds sealed values that do not open, tells whether they were changed or moved from another row, and records them in the
//! audit trail.

use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::ApiName;
use vega_domain::ports::StoreError;

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::integrity::sealed_values;
use crate::repositories::audit_trail;
use crate::sealing::broken_seal;
use crate::sealing::seal::{Place, Sealer, WhyUnreadable};
use crate::sql;
use crate::sql::Session;

impl DataSource {
    /// Opens every sealed value once. A value that does not open is recorded in the audit trail, unless it already is.
    /// Returns what was recorded now.
    pub async fn examine_seals(&self, at: DateTime<Utc>) -> Result<Vec<AuditEntry>, StoreError> {
        const DOING: &str = "examine the sealed values";
        let mut broken = Vec::new();
        let (mut reader, sealer) = (self.session().await?, self.sealer());
        for column in &sealed_values::ALL {
            for value in column.values(&mut reader).await? {
                let place = value.place(column);
                let Some(why) = why_unreadable(&mut reader, &sealer, place, &value.envelope).await? else {
                    continue;
                };
                let mut entry = AuditEntry::new(
                    at,
                    AuditKind::SealBroken,
                    format!("{why} [{}]", broken_seal::mark(&value.envelope)),
                );
                entry.api = ApiName::stored(place.api).ok();
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
            let known: bool = sql::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM audit_events WHERE kind = $1 AND detail = $2)",
            )
            .bind(entry.kind.code())
            .bind(&entry.detail)
            .fetch_one(&mut tx)
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
pub(crate) async fn why_unreadable(
    connection: &mut Session,
    sealer: &Sealer,
    place: Place<'_>,
    envelope: &[u8],
) -> Result<Option<StoreError>, StoreError> {
    let Err(why) = sealer.try_open(place, envelope) else {
        return Ok(None);
    };
    let mut origin = None;
    if why == WhyUnreadable::Changed {
        for column in &sealed_values::ALL {
            for row in column.rows(connection).await? {
                let of_row = row.place(column);
                if sealer.try_open(of_row, envelope).is_ok() {
                    origin = Some(of_row.to_string());
                }
            }
        }
    }
    let words = broken_seal::words(place, why, origin.as_deref());
    Ok(Some(StoreError::Unreadable(words)))
}
