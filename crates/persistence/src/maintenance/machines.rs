//! The machines that share a database on a server: each one says now and then which keys it has and where its server is. Nobody is told
//! of that, it is in no audit entry, and it waits for no other write. A database in a file has one machine, which is known without.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use vega_domain::machine::{LeaseHolderAt, Machine, NextKey};
use vega_domain::ports::{LeaseHolder, StoreError};

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::files::FileError;
use crate::files::process_lock::{host_name, this_process};
use crate::key_files;
use crate::key_files::root_key::{KEY_ID_LEN, KeyId};
use crate::postgres::machine_id;
use crate::sealing::row_values::MACHINES;
use crate::sql::value::Stored;
use crate::sql::{self, Row, Session};

/// Which program of a machine says so.
#[derive(Debug, Clone, Copy)]
pub enum Program<'a> {
    /// One that ends soon. What a server said stays.
    Command,
    /// A server.
    Server {
        /// Where it can be reached.
        url: Option<&'a str>,
    },
}

/// What a machine said.
pub(crate) struct Told {
    pub(crate) machine: Machine,
    keys: Vec<KeyId>,
}

/// Of a machine that says nothing for so long nothing is kept.
const KEPT: TimeDelta = TimeDelta::days(30);
/// Rows of machines follow no entry of the audit trail.
const NO_ENTRY: i64 = 0;

const DOING: &str = "say what this machine has";
const READING: &str = "read what the machines said";

impl DataSource {
    /// Says which keys this machine has now, and where its server is.
    pub async fn say_what_is_here(
        &self,
        program: Program<'_>,
        version: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let Engine::Postgres(_) = self.engine() else {
            return Ok(());
        };
        let id = machine_id::known_or_made(self.path()).map_err(not_written)?;
        let keys: Vec<u8> = key_files::held(self.key_source())
            .iter()
            .flat_map(|key| key.0)
            .collect();
        let mut session = self.session().await?;
        sql::query(
            "INSERT INTO machines (id, name, version, key_ids, seen_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version, key_ids = excluded.key_ids,
                 seen_at = excluded.seen_at",
        )
        .bind(id)
        .bind(host_name())
        .bind(version)
        .bind(keys)
        .bind(at)
        .execute(&mut session)
        .await
        .map_err(failed(DOING))?;
        if let Program::Server { url } = program {
            self.say_where_the_server_is(&mut session, id, url).await?;
            sql::query("DELETE FROM machines WHERE seen_at < $1")
                .bind(at - KEPT)
                .execute(&mut session)
                .await
                .map_err(failed(DOING))?;
        }
        Ok(())
    }

    /// Sealed, since people go there.
    async fn say_where_the_server_is(
        &self,
        session: &mut Session,
        id: Uuid,
        url: Option<&str>,
    ) -> Result<(), StoreError> {
        let columns = [
            Stored::Blob(id.as_bytes()),
            Stored::Text(this_process()),
            url.map_or(Stored::Null, Stored::Text),
        ];
        let value = self.trust().values.of(&MACHINES, NO_ENTRY, &columns);
        sql::query(
            "UPDATE machines SET process = $2, url = $3, row_entry = $4, row_value = $5
             WHERE id = $1 AND row_value IS DISTINCT FROM $5",
        )
        .bind(id)
        .bind(this_process())
        .bind(url)
        .bind(NO_ENTRY)
        .bind(value)
        .execute(session)
        .await
        .map(drop)
        .map_err(failed(DOING))
    }

    /// All machines of which something was heard within the last days, this one among them.
    pub async fn machines(&self, version: &str, now: DateTime<Utc>) -> Result<Vec<Machine>, StoreError> {
        let Engine::Postgres(_) = self.engine() else {
            return Ok(vec![Machine {
                id: None,
                name: host_name(),
                version: version.to_owned(),
                url: None,
                seen_at: now,
                is_this_one: true,
                has_key: key_files::held(self.key_source()).contains(&self.sealer().key_id()),
                next_key: NextKey::NotPrepared,
            }]);
        };
        let told = self.told_by_machines(&mut self.session().await?).await?;
        Ok(told.into_iter().map(|told| told.machine).collect())
    }

    /// What each machine said, also inside a write.
    pub(crate) async fn told_by_machines(&self, session: &mut Session) -> Result<Vec<Told>, StoreError> {
        let (in_force, next): (Option<Vec<u8>>, Option<Vec<u8>>) =
            sql::query_as("SELECT (SELECT key_id FROM seal_key), (SELECT key_id FROM next_key)")
                .fetch_one(session)
                .await
                .map_err(failed(READING))?;
        let (in_force, next) = (
            in_force.as_deref().and_then(KeyId::of),
            next.as_deref().and_then(KeyId::of),
        );
        let rows = sql::query("SELECT * FROM machines ORDER BY name, id")
            .fetch_all(session)
            .await
            .map_err(failed(READING))?;
        let own = machine_id::known(self.path());
        let told: Result<Vec<(Uuid, Told)>, sqlx::Error> = rows
            .iter()
            .map(|row| {
                let id: Uuid = row.try_get("id")?;
                let keys: &[u8] = row.try_get("key_ids")?;
                let keys: Vec<KeyId> = keys.chunks_exact(KEY_ID_LEN).filter_map(KeyId::of).collect();
                let machine = Machine {
                    id: Some(short(id)),
                    name: row.try_get("name")?,
                    version: row.try_get("version")?,
                    url: self.url_in(row)?,
                    seen_at: row.try_get("seen_at")?,
                    is_this_one: own == Some(id),
                    has_key: in_force.is_some_and(|key| keys.contains(&key)),
                    next_key: match next {
                        None => NextKey::NotPrepared,
                        Some(next) if keys.contains(&next) => NextKey::Held,
                        Some(_) => NextKey::Lacking,
                    },
                };
                Ok((id, Told { machine, keys }))
            })
            .collect();
        Ok(told_apart(told.map_err(failed(READING))?))
    }

    /// The other machines that said that they have this key, the one that spoke last first.
    pub(crate) async fn machines_with(&self, key: KeyId) -> Result<Vec<String>, StoreError> {
        let mut told = self.told_by_machines(&mut self.session().await?).await?;
        told.retain(|told| !told.machine.is_this_one && told.keys.contains(&key));
        told.sort_by_key(|told| std::cmp::Reverse(told.machine.seen_at));
        Ok(told.into_iter().map(|told| told.machine.name).collect())
    }

    /// Only as a server of this installation wrote it.
    fn url_in(&self, row: &Row) -> Result<Option<String>, sqlx::Error> {
        match self.trust().values.entry_of(&MACHINES, row) {
            Some(_) => row.try_get("url"),
            None => Ok(None),
        }
    }

    /// Where whoever has the lease can be reached, if that is a server.
    pub async fn reached_at(&self, holder: LeaseHolder) -> Result<LeaseHolderAt, StoreError> {
        let Engine::Postgres(_) = self.engine() else {
            return Ok(LeaseHolderAt { holder, url: None });
        };
        let row = sql::query(
            "SELECT machines.* FROM login_lease AS lease JOIN machines ON machines.process = lease.process
             WHERE lease.id = 1 AND lease.pid = $1 AND lease.host = $2 AND lease.since = $3",
        )
        .bind(holder.pid)
        .bind(&holder.host)
        .bind(holder.since)
        .fetch_optional(&mut self.session().await?)
        .await
        .map_err(failed(READING))?;
        let url = row.as_ref().map(|row| self.url_in(row)).transpose();
        Ok(LeaseHolderAt {
            holder,
            url: url.map_err(failed(READING))?.flatten(),
        })
    }
}

/// As it is shown.
fn short(id: Uuid) -> String {
    let mut id = id.simple().to_string();
    id.truncate(8);
    id
}

/// With a name for each one.
fn told_apart(told: Vec<(Uuid, Told)>) -> Vec<Told> {
    let mut of_name: HashMap<String, usize> = HashMap::new();
    for (_, told) in &told {
        *of_name.entry(told.machine.name.clone()).or_default() += 1;
    }
    let named = told.into_iter().map(|(id, mut told)| {
        if of_name
            .get(&told.machine.name)
            .is_some_and(|machines| *machines > 1)
        {
            told.machine.name = format!("{}-{}", told.machine.name, short(id));
        }
        told
    });
    named.collect()
}

fn not_written(error: FileError) -> StoreError {
    StoreError::Failed {
        doing: DOING,
        source: error.into(),
    }
}
