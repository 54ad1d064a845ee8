//! Programs that use tokens. What was seen of them is in rows that decide nothing. Whom the operator has stopped is in the list of latest
//! changes alone, which is sealed: no edit of a row lets anybody in.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::AuditEntry;
use vega_domain::consumer::{AccessPath, Consumer, ConsumerIdentity, ConsumerStop, ConsumerUse};
use vega_domain::ids::{ApiName, ConsumerName, Generation};
use vega_domain::ports::{Consumers, StoreError};

use crate::audit::latest_changes::{Mark, Whose};
use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::repositories::audit_trail;
use crate::sql;
use crate::sql::{FromRow, record};
use crate::stored::unreadable;

/// `Consumers` over the database.
#[derive(Debug, Clone)]
pub struct SqlConsumers(DataSource);

impl SqlConsumers {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }
}

#[async_trait]
impl Consumers for SqlConsumers {
    async fn uses(&self) -> Result<Vec<ConsumerUse>, StoreError> {
        let mut reading = self.0.read().await?;
        let rows = sql::query("SELECT * FROM consumers ORDER BY identity_name, own_name, api, identity")
            .fetch_all(&mut reading)
            .await
            .map_err(failed("read which programs use tokens"))?;
        // One that was edited hides no other.
        let uses = rows.iter().filter_map(|row| {
            let row = UseRow::from_row(row).map_err(unreadable);
            let read = row.and_then(UseRow::into_use);
            read.inspect_err(|error| tracing::debug!(%error, "the record of a consumer cannot be read"))
                .ok()
        });
        Ok(uses.collect())
    }

    async fn record(&self, seen: &[ConsumerUse], forgotten_before: DateTime<Utc>) -> Result<(), StoreError> {
        const DOING: &str = "record which programs use tokens";
        let mut tx = self.0.write().await?;
        for ConsumerUse {
            consumer,
            api,
            generation,
            moved_at,
            last_seen_at,
        } in seen
        {
            sql::query(
                "INSERT INTO consumers (identity, own_name, api, identity_name, access_path, generation, moved_at, last_seen_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                 ON CONFLICT (identity, own_name, api) DO UPDATE SET identity_name = excluded.identity_name,
                     access_path = excluded.access_path, generation = excluded.generation, moved_at = excluded.moved_at,
                     last_seen_at = excluded.last_seen_at
                 WHERE consumers.last_seen_at <= excluded.last_seen_at",
            )
            .bind(consumer.identity.to_string())
            .bind(consumer.own_name.as_ref().map_or("", ConsumerName::as_str))
            .bind(api.as_str())
            .bind(&consumer.identity_name)
            .bind(consumer.access_path.as_str())
            .bind(generation.map(|generation| i64::from(generation.get())))
            .bind(*moved_at)
            .bind(*last_seen_at)
            .execute(&mut tx)
            .await
            .map_err(failed(DOING))?;
        }
        sql::query("DELETE FROM consumers WHERE last_seen_at < $1")
            .bind(forgotten_before)
            .execute(&mut tx)
            .await
            .map_err(failed(DOING))?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn stops(&self) -> Result<Vec<ConsumerStop>, StoreError> {
        let reading = self.0.read().await?;
        // A database that does not count opens nobody.
        let marks = reading.judge.marks.as_ref();
        let marks = marks.map_err(|mistrust| StoreError::ChangedOutside(mistrust.to_string()))?;
        marks.all_of("stopped").map(stop_of).collect()
    }

    async fn stop(&self, stop: &ConsumerStop, audit: &AuditEntry) -> Result<bool, StoreError> {
        let mut tx = self.0.write().await?;
        let identity = stop.identity.to_string();
        let entry = tx.entry();
        let marks = tx.marks()?;
        if marks.get(Whose::Stopped(&identity)).is_some() {
            return Ok(false);
        }
        let mark = Mark {
            time: Some(stop.since),
            closed: Some((stop.name.clone(), stop.reason.clone())),
            ..Mark::of(entry)
        };
        marks.set(Whose::Stopped(&identity), mark);
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed("stop a program"))?;
        Ok(true)
    }

    async fn open(&self, identity: &ConsumerIdentity, audit: &AuditEntry) -> Result<bool, StoreError> {
        let mut tx = self.0.write().await?;
        if !tx.marks()?.clear(Whose::Stopped(&identity.to_string())) {
            return Ok(false);
        }
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed("open a program again"))?;
        Ok(true)
    }
}

fn stop_of((identity, mark): (&str, &Mark)) -> Result<ConsumerStop, StoreError> {
    let (name, reason) = mark.closed.clone().unwrap_or_default();
    Ok(ConsumerStop {
        identity: identity.parse().map_err(unreadable)?,
        name,
        since: mark.time.unwrap_or_default(),
        reason,
    })
}

record! {
    #[derive(Debug)]
    struct UseRow {
        identity: String,
        own_name: String,
        api: String,
        identity_name: String,
        access_path: String,
        generation: Option<i64>,
        moved_at: Option<DateTime<Utc>>,
        last_seen_at: DateTime<Utc>,
    }
}

impl UseRow {
    fn into_use(self) -> Result<ConsumerUse, StoreError> {
        let own_name = Some(self.own_name).filter(|name| !name.is_empty());
        let generation = self
            .generation
            .map(|number| {
                let number = u32::try_from(number).map_err(unreadable)?;
                Generation::new(number).map_err(unreadable)
            })
            .transpose()?;
        Ok(ConsumerUse {
            consumer: Consumer {
                identity: self.identity.parse().map_err(unreadable)?,
                identity_name: self.identity_name,
                own_name: own_name.map(ConsumerName::new).transpose().map_err(unreadable)?,
                access_path: AccessPath::parse(&self.access_path).map_err(unreadable)?,
            },
            api: ApiName::stored(self.api).map_err(unreadable)?,
            generation,
            moved_at: self.moved_at,
            last_seen_at: self.last_seen_at,
        })
    }
}
