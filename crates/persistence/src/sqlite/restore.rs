//! A backup in the place of a database file. Decides whether others have it open: SQLite gives up its log only to the last one. The new
//! file takes the name of the old one at once, so there is a database at every moment.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::database::causes::cause_of;
use crate::database::move_state::MoveState;
use crate::database::open_error::OpenError;
use crate::files::process_lock::taken;
use crate::files::{self, io, open_private};
use crate::maintenance::arrival::{Trail, move_of};
use crate::maintenance::backup_copy::BackupCopy;
use crate::maintenance::restore::{Before, InPlace, keep_aside, kept_name};
use crate::maintenance::restore_error::RestoreError;
use crate::sql::{self, Session};
use crate::sqlite::database_file::{beside, lock_for_opening, refuse_if_not_ours};
use crate::sqlite::filesystem;
use vega_domain::ports::StorageCause;

/// How long the others have to end what they are about to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// The file, with what keeps others away from it.
pub(crate) struct Place {
    path: PathBuf,
    pub(crate) trail: Option<Trail>,
    is_there: bool,
    /// Held for their locks.
    _locks: [File; 2],
    /// Holds the old file for itself.
    alone: Option<Session>,
}

impl Place {
    /// The place, once nobody else has it.
    pub(crate) async fn alone_in(path: &Path) -> Result<InPlace, RestoreError> {
        if let Some(kind) = filesystem::foreign_kind(path) {
            let path = path.to_owned();
            return Err(OpenError::NotLocal { path, kind }.into());
        }
        // Two names of one database have one lock.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let lease = path.with_extension("lease.lock");
        let signs_in = open_private(&lease)?;
        if !taken(&signs_in).await.map_err(io("lock", &lease))? {
            return Err(RestoreError::Held(" (one of them signs in)".into()));
        }
        let opening = lock_for_opening(&path).await?;
        let is_there = path.metadata().is_ok_and(|there| there.len() > 0);
        let mut place = Self {
            trail: None,
            is_there,
            _locks: [signs_in, opening],
            alone: None,
            path,
        };
        if is_there {
            match refuse_if_not_ours(&place.path).await {
                // What is damaged may be replaced; another program's file may not.
                Err(error @ OpenError::NotOurs(_)) if is_readable(&place.path) => return Err(error.into()),
                _ => place.take_it_alone().await?,
            }
        }
        Ok(InPlace::File(place))
    }

    async fn take_it_alone(&mut self) -> Result<(), RestoreError> {
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .busy_timeout(PATIENCE)
            .pragma("trusted_schema", "OFF");
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await;
        let held = |error: &sqlx::Error| cause_of(error) == StorageCause::Busy;
        let alone = match pool {
            Ok(pool) => pool.acquire().await,
            Err(error) => Err(error),
        };
        let mut alone = match alone {
            Ok(connection) => Session::SqliteAlone(connection),
            Err(error) if held(&error) => return Err(RestoreError::Held(String::new())),
            // It cannot be read, which is why a backup is put in its place.
            Err(_) if !is_locked_by_others(&self.path) => return Ok(()),
            Err(_) => return Err(RestoreError::Held(String::new())),
        };
        let mode = sql::query_scalar::<String>("PRAGMA journal_mode = DELETE")
            .fetch_one(&mut alone)
            .await;
        let begun = sql::query("BEGIN EXCLUSIVE").execute(&mut alone).await;
        let has_log = matches!(&mode, Ok(mode) if mode != "delete");
        // Of a damaged one SQLite does not say that others opened it before; they still have it. Not where it is this process's alone: the
        // system ends the locks of a process with the first look that is closed.
        let is_others = begun.is_err() && is_locked_by_others(&self.path);
        if is_others || has_log || mode.as_ref().is_err_and(held) || begun.as_ref().is_err_and(held) {
            return Err(RestoreError::Held(String::new()));
        }
        // An earlier schema has no such table.
        let moves = move_of(&mut alone).await.ok().flatten();
        if let Some(moves) = moves.filter(|moves| moves.state != MoveState::Leaving) {
            return Err(RestoreError::Moved(moves.stops_writes()));
        }
        self.trail = Trail::of(&mut alone).await.ok();
        self.alone = Some(alone);
        Ok(())
    }

    /// Keeps what is there aside, and gives its name to the draft.
    pub(crate) fn put(self, draft: &BackupCopy, at: DateTime<Utc>) -> Result<Before, RestoreError> {
        let kept = kept_name(&self.path, at);
        if self.is_there {
            keep_aside(&self.path, &kept)?;
        }
        // A log that stayed beside a damaged file would be taken for one of the new file.
        for suffix in ["-wal", "-shm", "-journal"] {
            let (left, aside) = (beside(&self.path, suffix), beside(&kept, suffix));
            if left.exists() {
                std::fs::rename(&left, &aside).map_err(io("move", &left))?;
            }
        }
        std::fs::rename(&draft.file, &self.path).map_err(io("move", &draft.file))?;
        files::sync_folder_of(&self.path)?;
        Ok(Before {
            kept: self.is_there.then_some(kept),
        })
    }
}

/// Whether another process has any part of the file locked, as SQLite does for as long as it has a database open.
#[cfg(unix)]
fn is_locked_by_others(path: &Path) -> bool {
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc::{F_UNLCK, F_WRLCK, SEEK_SET, flock};
    let narrow = |constant: i32| i16::try_from(constant).unwrap_or_default();
    // All of it.
    let mut lock = flock {
        l_type: narrow(F_WRLCK),
        l_whence: narrow(SEEK_SET),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // To be asked for all of it alone, the file has to be open for writing too.
    let asked = File::options()
        .read(true)
        .write(true)
        .open(path)
        .map(|file| fcntl(&file, FcntlArg::F_GETLK(&mut lock)));
    matches!(asked, Ok(Ok(_))) && lock.l_type != narrow(F_UNLCK)
}

#[cfg(not(unix))]
fn is_locked_by_others(_: &Path) -> bool {
    false
}

/// Whether it begins as SQLite's files do.
fn is_readable(path: &Path) -> bool {
    use std::io::Read;
    let mut first = [0; 16];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first.starts_with(b"SQLite format 3")
}
