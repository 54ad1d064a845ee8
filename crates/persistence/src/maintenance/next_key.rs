//! A key rotation in two steps, where several machines have the database: the next key is made, the operator copies it to each machine,
//! and it is put in force when all have it. Decides which machines have to have it: those that were seen within a day.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::machine::NextKey;
use vega_domain::ports::StoreError;

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::database::write::Write;
use crate::key_files;
use crate::key_files::key_source::KeySource;
use crate::key_files::key_to_copy::KeyToCopy;
use crate::key_files::root_key::{KeyId, RootKey};
use crate::maintenance::machines::Told;
use crate::maintenance::rotation_error::{RotationError, StepsError};
#[cfg(feature = "injected-defects")]
use crate::postgres::injected_defects::InjectedDefect;
use crate::repositories::audit_trail;
use crate::sql;

/// A machine that was not seen for longer is not waited for: it says what it lacks when it comes back.
const SEEN_WITHIN: TimeDelta = TimeDelta::days(1);

const DOING: &str = "prepare the next key";

/// A key that is to follow the one in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedKey {
    /// Tells keys apart without telling anything of them.
    pub id: String,
    /// The file to be copied to the other machines.
    pub file: PathBuf,
}

impl DataSource {
    /// Makes the key that is to follow, beside the one in force. One that was prepared before is told again; where only machines have it
    /// that are gone for good, another one takes its place.
    pub async fn prepare_key(
        &self,
        gone: &[String],
        at: DateTime<Utc>,
    ) -> Result<PreparedKey, RotationError> {
        let Engine::Postgres(_) = self.engine() else {
            return Err(StepsError::OneMachine.into());
        };
        let path = self.own_key_file()?;
        let mut tx = self.write().await?;
        if let Some(id) = prepared(&mut tx).await? {
            if let Some(file) = key_files::held_next(self.key_source(), id) {
                let id = id.to_string();
                return Ok(PreparedKey { id, file });
            }
            let mut others = self.others(&mut tx, gone).await?;
            others.retain(|told| told.machine.next_key == NextKey::Held);
            if !others.is_empty() {
                return Err(StepsError::NotHere(self.to_copy(id, others)).into());
            }
        }
        let new = RootKey::generate();
        let file = key_files::next_key(&path, new.id);
        new.write_to(&file)?;
        sql::query(
            "INSERT INTO next_key (id, key_id, prepared_at) VALUES (1, $1, $2)
             ON CONFLICT (id) DO UPDATE SET key_id = excluded.key_id, prepared_at = excluded.prepared_at",
        )
        .bind(&new.id.0[..])
        .bind(at)
        .execute(&mut tx)
        .await
        .map_err(failed(DOING))?;
        let words = format!("key {} is to follow {}", new.id, tx.sealer.key_id());
        audit_trail::insert(&mut tx, &AuditEntry::new(at, AuditKind::KeyPrepared, words)).await?;
        tx.commit().await.map_err(failed(DOING))?;
        let id = new.id.to_string();
        Ok(PreparedKey { id, file })
    }

    /// The key file, if it is one that Vega writes.
    pub(crate) fn own_key_file(&self) -> Result<PathBuf, RotationError> {
        match self.key_source() {
            KeySource::File(path) => Ok(key_files::resolved(path)),
            KeySource::Credential { key, .. } => Err(RotationError::Credential(key.clone())),
        }
    }

    /// Refuses to replace the key in one step where others would be left without it.
    pub(crate) async fn refuse_beside_others(
        &self,
        tx: &mut Write,
        at: DateTime<Utc>,
    ) -> Result<(), RotationError> {
        let Engine::Postgres(_) = self.engine() else {
            return Ok(());
        };
        let mut others = self.others(tx, &[]).await?;
        others.retain(|told| told.machine.seen_at > at - SEEN_WITHIN);
        if others.is_empty() {
            return Ok(());
        }
        Err(StepsError::SeveralMachines(names(others)).into())
    }

    /// The prepared key with its file, if each machine that was seen of late has it or is among those named.
    pub(crate) async fn prepared_for_all(
        &self,
        tx: &mut Write,
        gone: &[String],
        at: DateTime<Utc>,
    ) -> Result<(RootKey, PathBuf), RotationError> {
        let Engine::Postgres(_) = self.engine() else {
            return Err(StepsError::OneMachine.into());
        };
        let id = prepared(tx).await?.ok_or(StepsError::NotPrepared)?;
        let others = self.others(tx, gone).await?;
        let Some(file) = key_files::held_next(self.key_source(), id) else {
            let with = others
                .into_iter()
                .filter(|told| told.machine.next_key == NextKey::Held);
            return Err(StepsError::NotHere(self.to_copy(id, with.collect())).into());
        };
        let lacking = others
            .into_iter()
            .filter(|told| told.machine.next_key != NextKey::Held && told.machine.seen_at > at - SEEN_WITHIN);
        let machines = names(lacking.collect());
        if !machines.is_empty() && !is_copied_later() {
            return Err(StepsError::NotEverywhere { machines, file }.into());
        }
        Ok((RootKey::load(&file)?, file))
    }

    /// The other machines, but for those that are named as gone.
    async fn others(&self, tx: &mut Write, gone: &[String]) -> Result<Vec<Told>, RotationError> {
        let mut told = self.told_by_machines(tx).await?;
        told.retain(|told| !told.machine.is_this_one);
        let unknown = gone
            .iter()
            .find(|name| told.iter().all(|told| told.machine.name != **name));
        if let Some(unknown) = unknown {
            return Err(StepsError::NoSuchMachine(unknown.clone()).into());
        }
        told.retain(|told| !gone.contains(&told.machine.name));
        Ok(told)
    }

    fn to_copy(&self, id: KeyId, from: Vec<Told>) -> KeyToCopy {
        KeyToCopy {
            machines: names(from),
            to: key_files::place_of_next(self.key_source(), id),
        }
    }
}

fn names(told: Vec<Told>) -> Vec<String> {
    told.into_iter().map(|told| told.machine.name).collect()
}

/// Whether the key is put in force before the others have it.
fn is_copied_later() -> bool {
    #[cfg(feature = "injected-defects")]
    if InjectedDefect::KeyCommittedBeforeCopied.is_in_force() {
        return true;
    }
    false
}

async fn prepared(tx: &mut Write) -> Result<Option<KeyId>, StoreError> {
    let id: Option<Vec<u8>> = sql::query_scalar("SELECT key_id FROM next_key")
        .fetch_optional(tx)
        .await
        .map_err(failed("read which key was prepared"))?;
    Ok(id.as_deref().and_then(KeyId::of))
}
