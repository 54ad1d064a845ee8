//! Deliveries of tokens to the files of this machine, in SQLite and PostgreSQL. A row that was changed outside Vega counts for nothing: its
//! file is delivered anew. One process of a machine delivers, which a lock of the kernel sees to.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use async_trait::async_trait;
use uuid::Uuid;
use vega_domain::audit::AuditEntry;
use vega_domain::file_delivery::{ContentDigest, FileDelivery};
use vega_domain::ports::{DeliveryClaim, FileDeliveries, StoreError};

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::files::open_private;
use crate::files::process_lock::taken;
use crate::postgres::machine_id;
use crate::records::file_delivery::FileDeliveryRow;
use crate::repositories::audit_trail;
use crate::sealing::row_values::FILE_DELIVERIES;
use crate::sql;
use crate::sql::FromRow;

/// `FileDeliveries` over the database.
#[derive(Debug, Clone)]
pub struct SqlFileDeliveries(DataSource);

/// Holds the lock until it is dropped.
#[derive(Debug)]
struct LockedFile(#[expect(dead_code, reason = "held for its lock, never read")] File);

impl DeliveryClaim for LockedFile {}

impl SqlFileDeliveries {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }

    /// Whose files they are. A database in a file has one machine, and no number for it.
    fn machine(&self) -> Option<Uuid> {
        match self.0.engine() {
            Engine::Sqlite(_) => Some(Uuid::nil()),
            Engine::Postgres(_) => machine_id::known(self.0.path()),
        }
    }

    fn machine_or_made(&self) -> Result<Uuid, StoreError> {
        match self.machine() {
            Some(id) => Ok(id),
            None => machine_id::known_or_made(self.0.path()).map_err(|error| StoreError::Failed {
                doing: "tell this machine from others",
                source: error.into(),
            }),
        }
    }
}

#[async_trait]
impl FileDeliveries for SqlFileDeliveries {
    async fn claim(&self) -> Result<Option<Box<dyn DeliveryClaim>>, StoreError> {
        let storage = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Failed {
            doing: "ask who delivers to the files of this machine",
            source,
        };
        let path = self.0.path().with_extension("files.lock");
        let file = open_private(&path).map_err(|error| storage(error.into()))?;
        let is_taken = taken(&file).await.map_err(|error| storage(error.into()))?;
        Ok(is_taken.then(|| Box::new(LockedFile(file)) as Box<dyn DeliveryClaim>))
    }

    async fn load(&self) -> Result<Vec<FileDelivery>, StoreError> {
        let mut reading = self.0.read().await?;
        if let Err(mistrust) = &reading.judge.marks {
            return Err(mistrust.clone().into());
        }
        let Some(machine) = self.machine() else {
            return Ok(Vec::new());
        };
        let rows = sql::query("SELECT * FROM file_deliveries WHERE machine = $1 ORDER BY path")
            .bind(machine)
            .fetch_all(&mut reading)
            .await
            .map_err(failed("read what was delivered to files"))?;
        let ours = rows
            .iter()
            .filter(|row| reading.judge.is_ours(&FILE_DELIVERIES, row));
        ours.map(|row| {
            FileDeliveryRow::from_row(row)
                .map_err(failed("read what was delivered to a file"))?
                .into_delivery()
        })
        .collect()
    }

    async fn record(&self, delivery: &FileDelivery, audit: &[AuditEntry]) -> Result<(), StoreError> {
        const DOING: &str = "record what was delivered to a file";
        let machine = self.machine_or_made()?;
        let bytes = |digest: Option<ContentDigest>| digest.map(|digest| digest.0.to_vec());
        let failed_try = delivery.failed.as_ref();
        let mut tx = self.0.write().await?;
        let number: i64 = sql::query_scalar(
            "INSERT INTO file_deliveries (machine, path, api, generation, version, on_expiry, held, written, state, since,
                 tried_at, tries, problem, detail)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             ON CONFLICT (machine, path) DO UPDATE SET api = excluded.api, generation = excluded.generation,
                 version = excluded.version, on_expiry = excluded.on_expiry, held = excluded.held,
                 written = excluded.written, state = excluded.state, since = excluded.since,
                 tried_at = excluded.tried_at, tries = excluded.tries, problem = excluded.problem,
                 detail = excluded.detail
             RETURNING rowid",
        )
        .bind(machine)
        .bind(delivery.path.as_os_str().as_bytes())
        .bind(delivery.api.as_str())
        .bind(delivery.generation.get())
        .bind(delivery.version.as_str())
        .bind(delivery.on_expiry.name())
        .bind(bytes(delivery.held))
        .bind(bytes(delivery.written))
        .bind(delivery.state.code())
        .bind(delivery.since)
        .bind(failed_try.map(|failed| failed.at))
        .bind(failed_try.map(|failed| failed.tries))
        .bind(failed_try.map(|failed| failed.failure.problem.code()))
        .bind(failed_try.map(|failed| failed.failure.detail.as_str()))
        .fetch_one(&mut tx)
        .await
        .map_err(failed(DOING))?;
        for entry in audit {
            audit_trail::insert(&mut tx, entry).await?;
        }
        // A try that failed once more has no entry of its own.
        let entry = tx.last_entry();
        tx.seal_as_of(&FILE_DELIVERIES, number, entry).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn forget(&self, path: &Path, audit: &AuditEntry) -> Result<(), StoreError> {
        const DOING: &str = "forget what was delivered to a file";
        let machine = self.machine_or_made()?;
        let mut tx = self.0.write().await?;
        sql::query("DELETE FROM file_deliveries WHERE machine = $1 AND path = $2")
            .bind(machine)
            .bind(path.as_os_str().as_bytes())
            .execute(&mut tx)
            .await
            .map_err(failed(DOING))?;
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed(DOING))
    }
}
