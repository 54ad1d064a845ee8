//! Replaces the root key, by one that is made now or one that was prepared (`next_key`). One commit seals everything with the new key, and the files are changed in such an order that
//! the database opens after a crash at any point. First the next key is written to disk; then one commit makes it the
//! key of the database; then the old key gets a second name under which it stays, and the next key takes its place.
//! `key_files::fetch` completes an interrupted rotation.
//!
//! The audit trail goes on under the new key. The chain key of the old root key is kept, sealed, together with the last
//! entry that was made with it. So old entries can still be examined, and a thief of the old key can change none of
//! them, because the first new entry seals the last old one.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::expiry::in_ist;
use vega_domain::ports::StoreError;

use crate::audit::chain::{AuditChain, chain_key};
use crate::audit::row_trust::RowTrust;
use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::write::Write;
use crate::integrity::row_values;
use crate::integrity::sealed_values::{self, CHAIN_KEYS, SealedColumn};
use crate::key_files;
use crate::key_files::root_key::{KeyError, RootKey};
use crate::maintenance::rotation_error::RotationError;
use crate::repositories::{audit_rows, audit_trail};
use crate::sealing::row_values::{ALL, FILE_DELIVERIES, MACHINES, SealedTable};
use crate::sealing::seal::Sealer;
use crate::sql::{self, EngineName};
use crate::sqlite::database_file::lock_for_opening;
use crate::sqlite::wal::WalState;

const DOING: &str = "seal everything with a new key";

/// How far a rotation has come. After each step nothing earlier is lost, whatever happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationStep {
    /// The next key is on disk.
    NextKeyWritten,
    /// Everything is sealed with it, in a commit that is still open.
    SealedAnew,
    /// The commit is durable: the next key is the one in force.
    Committed,
    /// The old key has a second name.
    OldKeyKept,
    /// The key file holds the key in force.
    KeyInPlace,
}

impl RotationStep {
    /// Every step, in order.
    pub const ALL: [Self; 5] = [
        Self::NextKeyWritten,
        Self::SealedAnew,
        Self::Committed,
        Self::OldKeyKept,
        Self::KeyInPlace,
    ];

    /// A stable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::NextKeyWritten => "next_key_written",
            Self::SealedAnew => "sealed_anew",
            Self::Committed => "rotation_committed",
            Self::OldKeyKept => "old_key_kept",
            Self::KeyInPlace => "key_in_place",
        }
    }
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// How many values were sealed anew.
    pub sealed: u64,
    /// Values that did not open before the rotation either, and are unchanged.
    pub unreadable: Vec<String>,
    /// The file with the key in force.
    pub key_file: PathBuf,
    /// The file with the old key: earlier copies of the database open only with this key.
    pub old_key: PathBuf,
    /// Whether anything sealed with the old key is left in the database's files.
    pub wal: WalState,
}

/// Which key follows.
#[derive(Debug, Clone, Copy)]
enum Following<'a> {
    /// One that is made now.
    Made,
    /// The prepared one, although these machines lack it.
    Prepared { without: &'a [String] },
}

impl DataSource {
    /// Replaces the root key. Must be called under the lease, while no run is active. A program that has the database open
    /// takes the new key up where it finds it. Calls `passed` after each step.
    pub async fn rotate_key(
        &self,
        at: DateTime<Utc>,
        passed: impl Fn(RotationStep) + Send + Sync,
    ) -> Result<Rotation, RotationError> {
        self.replace_key(Following::Made, at, passed).await
    }

    /// The same with the key that was prepared, when each machine that was seen of late has it, or is among those named.
    pub async fn commit_key(
        &self,
        without: &[String],
        at: DateTime<Utc>,
        passed: impl Fn(RotationStep) + Send + Sync,
    ) -> Result<Rotation, RotationError> {
        self.replace_key(Following::Prepared { without }, at, passed)
            .await
    }

    async fn replace_key(
        &self,
        following: Following<'_>,
        at: DateTime<Utc>,
        passed: impl Fn(RotationStep) + Send + Sync,
    ) -> Result<Rotation, RotationError> {
        let path = self.own_key_file()?;
        // Whoever was late takes the key in force up first.
        self.read().await?.end().await?;
        // Until all is done nobody opens the database, and nobody ends a rotation that is under way.
        let _lock = lock_for_opening(self.path()).await?;
        // What is there would stay sealed with the old key.
        if self.spool().holds_anything()? {
            return Err(RotationError::Spooled);
        }
        let old = RootKey::load(&path)?;
        let mut tx = self.write_of_sign_in().await?;
        if old.id != tx.sealer.key_id() {
            let words = format!(
                "{} was replaced while this program ran: start it again",
                path.display()
            );
            return Err(StoreError::Unreadable(words).into());
        }
        let (new, next) = match following {
            Following::Made => {
                self.refuse_beside_others(&mut tx, at).await?;
                let new = RootKey::generate();
                let next = key_files::next_key(&path, new.id);
                new.write_to(&next)?;
                (new, next)
            }
            Following::Prepared { without } => self.prepared_for_all(&mut tx, without, at).await?,
        };
        passed(RotationStep::NextKeyWritten);

        let day = in_ist(at).format("%Y-%m-%d").to_string();
        let (sealed, unreadable) = match seal_anew(&mut tx, (&old, &new), following, at, &day).await {
            Ok(sealed) => sealed,
            Err(error) => {
                drop(tx);
                if let Following::Made = following {
                    // Nothing was ever sealed with it.
                    let _ = std::fs::remove_file(&next);
                }
                return Err(error.into());
            }
        };
        passed(RotationStep::SealedAnew);
        tx.commit().await.map_err(|error| RotationError::Unclear {
            next: next.clone(),
            source: failed(DOING)(error),
        })?;
        passed(RotationStep::Committed);

        let not_in_place = |source: KeyError| RotationError::NotInPlace {
            next: next.clone(),
            source,
        };
        let old_key = key_files::keep_old(&path, &day).map_err(not_in_place)?;
        passed(RotationStep::OldKeyKept);
        key_files::put_in_place(&next, &path).map_err(|error| not_in_place(error.into()))?;
        passed(RotationStep::KeyInPlace);
        Ok(Rotation {
            sealed,
            unreadable,
            key_file: path,
            old_key,
            // Where this fails, the last program to close the database does it.
            wal: self.engine().leave_no_copies().await.unwrap_or(WalState::InUse),
        })
    }
}

/// Makes all changes of the commit. Returns how many values were sealed anew, and which did not open.
async fn seal_anew(
    tx: &mut Write,
    (old, new): (&RootKey, &RootKey),
    following: Following<'_>,
    at: DateTime<Utc>,
    day: &str,
) -> Result<(u64, Vec<String>), StoreError> {
    let (opens, seals) = (Arc::clone(&tx.sealer), Sealer::new(new));
    // Before anything is sealed anew: the values are over what is sealed.
    let fitting = fitting_rows(tx).await?;
    keep_chain_key(tx, old, &opens).await?;
    let (mut sealed, mut unreadable) = (0, Vec::new());
    for column in &sealed_values::ALL {
        for value in column.values(tx).await? {
            let place = value.place(column);
            match opens.open(place, &value.envelope) {
                Ok(secret) => {
                    column.replace(tx, value.row, seals.seal(place, &secret)?).await?;
                    sealed += 1;
                }
                Err(error) => unreadable.push(error.to_string()),
            }
        }
    }
    let trust = Arc::new(RowTrust::new(new, tx.checkpoints.clone()));
    for (table, row, entry) in fitting {
        trust.values.seal(tx, table, row, entry).await?;
    }
    sql::query("UPDATE seal_key SET key_id = $1, rotated_at = $2")
        .bind(&new.id.0[..])
        .bind(day)
        .execute(tx)
        .await
        .map_err(failed(DOING))?;
    if tx.engine_name() == EngineName::Postgres {
        sql::query("DELETE FROM next_key")
            .execute(tx)
            .await
            .map_err(failed(DOING))?;
    }
    // The entry is the first one of the new chain.
    tx.chain = Arc::new(AuditChain::new(new));
    tx.trust = trust;
    let mut words = format!("key {} follows {}; {sealed} values sealed anew", new.id, old.id);
    if let Following::Prepared {
        without: gone @ [_, ..],
    } = following
    {
        words = format!("{words}; without {}", gone.join(", "));
    }
    audit_trail::insert(tx, &AuditEntry::new(at, AuditKind::KeyRotated, words)).await?;
    Ok((sealed, unreadable))
}

/// Each row whose value fits, with the entry that changed it last. The other rows do not get a value that fits.
async fn fitting_rows(tx: &mut Write) -> Result<Vec<(&'static SealedTable, i64, i64)>, StoreError> {
    let mut fitting = Vec::new();
    let of_machines = match tx.engine_name() {
        EngineName::Sqlite => None,
        EngineName::Postgres => Some(&MACHINES),
    };
    let unmarked = [&FILE_DELIVERIES].into_iter().chain(of_machines);
    for table in ALL.into_iter().chain(unmarked) {
        for row in row_values::all(tx, table).await? {
            if let Some(entry) = tx.trust.values.entry_of(table, &row) {
                fitting.push((table, row.try_get("number").map_err(failed(DOING))?, entry));
            }
        }
    }
    Ok(fitting)
}

/// Keeps the old chain key, up to the last entry that was made with it. If no entry has a value yet, the next one
/// begins the chain.
async fn keep_chain_key(tx: &mut Write, old: &RootKey, opens: &Sealer) -> Result<(), StoreError> {
    let is_chained: bool =
        sql::query_scalar("SELECT EXISTS (SELECT 1 FROM audit_events WHERE chain IS NOT NULL)")
            .fetch_one(tx)
            .await
            .map_err(failed(DOING))?;
    if !is_chained {
        return Ok(());
    }
    let last_entry = audit_rows::next_id(tx).await? - 1;
    let key = SealedColumn::of_chain_key(last_entry);
    // With the old key for now: the loop over all sealed values comes next.
    let envelope = opens.seal(key.place(&CHAIN_KEYS), chain_key(old).as_slice())?;
    sql::query("INSERT INTO audit_chain_keys (last_entry, sealed_key) VALUES ($1, $2)")
        .bind(last_entry)
        .bind(envelope)
        .execute(tx)
        .await
        .map(drop)
        .map_err(failed(DOING))
}
