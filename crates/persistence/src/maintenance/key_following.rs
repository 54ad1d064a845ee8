//! Takes up the key that the database was sealed anew with, by whichever program and machine: a program that runs goes on with it as soon
//! as it finds that out. Only a key that lies where the next one belongs is taken, never one that was replaced: a stolen old key stays
//! worth nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vega_domain::ports::StoreError;

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::key_files::key_to_copy::KeyToCopy;
use crate::key_files::root_key::{KeyError, KeyId, RootKey};
use crate::key_files::{self, Fetched, FollowingKey, KeyInForce};
use crate::sealing::seal::Sealer;
use crate::spool::slots::Spool;
use crate::sql;
use crate::sqlite::database_file::lock_for_opening_now;

impl DataSource {
    /// Goes on with the key that the database names now. Fails where this machine does not have it.
    pub(crate) async fn take_up_the_key(&self) -> Result<(), StoreError> {
        let _alone = self.takes_up.lock().await;
        let Some(in_force) = self.key_in_force().await? else {
            return Ok(());
        };
        if self.sealer().key_id() == in_force.id {
            return Ok(());
        }
        let fetched = key_files::fetch(self.key_source(), Some(&in_force));
        match fetched {
            Ok(Fetched::Key(key)) => self.goes_on_with(&key)?,
            Ok(Fetched::Following(following)) => {
                self.goes_on_with(&following.key)?;
                // Whoever rotates the key on this machine now does it.
                if let Some(_lock) = lock_for_opening_now(self.path())
                    && let Err(error) = following.takes_its_place()
                {
                    tracing::warn!("the key in force is not in its place yet: {error}");
                }
            }
            Ok(Fetched::Other(kept)) | Err(KeyError::MissingOverSealedData { kept, .. }) => {
                return Err(self.lacks(in_force.id, kept).await);
            }
            Err(error) => return Err(StoreError::Unreadable(error.to_string())),
        }
        tracing::info!(
            "the key was rotated: this program goes on with the key {}",
            in_force.id
        );
        Ok(())
    }

    async fn key_in_force(&self) -> Result<Option<KeyInForce>, StoreError> {
        let row: Option<(Vec<u8>, Option<String>)> = sql::query_as("SELECT key_id, rotated_at FROM seal_key")
            .fetch_optional(&mut self.session().await?)
            .await
            .map_err(failed("read which key is in force"))?;
        Ok(row.and_then(|(id, since)| {
            let id = KeyId::of(&id)?;
            Some(KeyInForce { id, since })
        }))
    }

    async fn lacks(&self, id: KeyId, kept: Option<PathBuf>) -> StoreError {
        let way = match (self.engine(), kept) {
            (_, Some(kept)) => format!(
                "{} holds it: put that in the place of the key file",
                kept.display()
            ),
            (Engine::Postgres(_), None) => self.key_to_copy(id).await.to_string(),
            (Engine::Sqlite(_), None) => "Put it in the place of the key file, from your backup".into(),
        };
        StoreError::Unreadable(format!(
            "the key was rotated, and this machine does not have the new one ({id}): nothing is written here, and only the tokens \
             in memory are given out. {way}; Vega goes on by itself then"
        ))
    }

    async fn key_to_copy(&self, id: KeyId) -> KeyToCopy {
        KeyToCopy {
            machines: self.machines_with(id).await.unwrap_or_default(),
            to: key_files::place_of_next(self.key_source(), id),
        }
    }
}

/// At a start: what the spool beside the database keeps is sealed with the key that follows, before that takes its place.
pub(crate) fn put_in_place(following: FollowingKey, database: &Path) -> Result<RootKey, KeyError> {
    if let Some(old) = &following.old {
        let spool = Spool::beside(database, Arc::new(Sealer::new(old)));
        let next = Arc::new(Sealer::new(&following.key));
        spool.is_sealed_anew(next).map_err(KeyError::SpoolNotSealedAnew)?;
    }
    following.takes_its_place()
}
