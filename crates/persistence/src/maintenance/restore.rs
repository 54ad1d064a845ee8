//! Puts a backup in the place of the database, on the operator's word. The backup is examined first, in a copy of its own, and made safe
//! there: on record, with no sign-in open and a window of OTP presses spent, since nobody knows what was done after it was made. Then it
//! takes the place of what is there as a whole, which is kept aside; never while others have the database.

use std::fs::File;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};

use crate::audit::chain::Value;
use crate::audit::checkpoints::{Cause, Checkpoint, CheckpointFile};
use crate::audit::latest_changes::{Mark, Whose};
use crate::database::causes::failed;
use crate::database::place::DatabasePlace;
use crate::files::{self, create_private_dir, io, private_options};
use crate::integrity::loss::close_what_is_open;
use crate::key_files::key_source::KeySource;
use crate::maintenance::arrival::Trail;
use crate::maintenance::backup_copy::{BackupCopy, UnfitBackup};
use crate::maintenance::relocation::open_all;
use crate::maintenance::restore_error::RestoreError;
use crate::postgres::server::is_of_server;
use crate::repositories::audit_history::SqlAuditHistory;
use crate::repositories::audit_trail;
use crate::sql;
use crate::sqlite::database_file::{self, beside};
use crate::stored::unreadable;
use crate::{postgres, sqlite};

const DOING: &str = "restore the backup";

/// What is said of a sign-in that was open in the backup.
const OPEN_IN_BACKUP: &str =
    "it was open in a backup that was restored, so how far it got after that was made is not known";

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The backup.
    pub backup: PathBuf,
    /// What was there before, if anything was.
    pub kept: Option<PathBuf>,
    /// How many audit entries the backup has.
    pub audit_entries: u64,
    /// How many entries were written after it, as far as this machine knows.
    pub missing: u64,
    /// How many of its sealed values were opened.
    pub opened: u64,
    /// Its values that do not open.
    pub unreadable: Vec<String>,
    /// Whether the database is on a server, which other machines use too.
    pub is_on_server: bool,
}

/// What was there before the backup took its place.
pub(crate) struct Before {
    pub(crate) kept: Option<PathBuf>,
}

/// Puts the backup in the place of the database at `place`. `at` is the time.
pub async fn restore(
    place: &DatabasePlace,
    key: &KeySource,
    backup: &Path,
    at: DateTime<Utc>,
) -> Result<Restored, RestoreError> {
    let backup = BackupCopy::named(backup)?;
    let is_on_server = is_of_server(&place.url);
    let database = if is_on_server {
        postgres::opening::server_of(place)?.local_file(&place.folder)
    } else {
        database_file::path_of(&place.url)?
    };
    let same = |path: &Path| path.canonicalize().ok();
    if same(&backup).is_some() && same(&backup) == same(&database) {
        return Err(RestoreError::Itself(backup));
    }
    if let Some(folder) = database.parent() {
        create_private_dir(folder)?;
    }
    let draft = BackupCopy::of(&backup, database.with_extension("restore"))?;
    let examined = examine(&draft, key).await?;
    let checkpoints = CheckpointFile::at(key);
    let known = checkpoints.newest(&examined.trail.chain_id).ok();
    let known = known
        .and_then(|newest| newest.checkpoint)
        .map_or(0, |newest| newest.entry);
    let in_place = if is_on_server {
        postgres::restore::Place::alone_in(place).await?
    } else {
        sqlite::restore::Place::alone_in(&database).await?
    };
    let known = known.max(in_place.last_entry_of(&examined.trail.chain_id));
    let missing = u64::try_from(known - examined.trail.last).unwrap_or(0);
    let end = make_safe(&draft, key, &backup, (&examined, missing), at).await?;
    let Before { kept } = in_place.put(&draft, &end, at).await?;
    // Only now: what was there before must not be measured by it.
    let checkpoint = Checkpoint {
        at,
        cause: Cause::Accepted,
        chain_id: end.chain_id,
        entry: end.last,
        value: end
            .value
            .and_then(|value| Value::try_from(value).ok())
            .ok_or_else(|| RestoreError::NotKept(unreadable("the last entry has no chain value")))?,
    };
    checkpoints
        .append_beside(checkpoint)
        .await
        .map_err(RestoreError::NotKept)?;
    Ok(Restored {
        backup,
        kept,
        audit_entries: examined.entries,
        missing,
        opened: examined.opened,
        unreadable: examined.unreadable,
        is_on_server,
    })
}

struct Examined {
    trail: Trail,
    entries: u64,
    opened: u64,
    unreadable: Vec<String>,
}

/// Opens it with the key in force, opens every value, and walks its trail by itself: what is kept of it outside is newer.
async fn examine(draft: &BackupCopy, key: &KeySource) -> Result<Examined, RestoreError> {
    let data = draft.open(key).await?;
    let examined = async {
        if let Some(words) = data.mistrust().await? {
            return Err(UnfitBackup::NotTrusted(words).into());
        }
        let (verdict, _) = SqlAuditHistory::new(data.clone()).examine().await?;
        if let Some(fault) = verdict.fault {
            return Err(RestoreError::Trail(fault));
        }
        let (opened, unreadable) = open_all(&data).await?;
        Ok(Examined {
            trail: Trail::of(&mut data.session().await?).await?,
            entries: verdict.entries,
            opened,
            unreadable,
        })
    };
    let examined = examined.await;
    data.close().await;
    examined
}

/// Makes it what may be used from now on. Returns where its trail ends then.
async fn make_safe(
    draft: &BackupCopy,
    key: &KeySource,
    backup: &Path,
    (examined, missing): (&Examined, u64),
    at: DateTime<Utc>,
) -> Result<Trail, RestoreError> {
    let data = draft.open(key).await?;
    let made = async {
        let mut tx = data.write().await?;
        sql::query("DELETE FROM database_move")
            .execute(&mut tx)
            .await
            .map_err(failed(DOING))?;
        // Presses that nobody remembers count, as after a loss; whichever server had it counts its timelines anew.
        let lost = Mark {
            time: Some(at),
            ..Mark::of(tx.entry())
        };
        tx.marks()?.set(Whose::Lost, lost);
        let words = format!(
            "{}, with {} entries; {missing} that were written after it, as far as this machine knows, are missing. Keys and tokens \
             that were revoked in between count again; sign-ins that were open are closed, and nobody is asked for an OTP before a \
             window has passed",
            backup.display(),
            examined.entries
        );
        audit_trail::insert(&mut tx, &AuditEntry::new(at, AuditKind::DatabaseRestored, words)).await?;
        close_what_is_open(&mut tx, OPEN_IN_BACKUP, at).await?;
        tx.commit().await.map_err(failed(DOING))?;
        Trail::of(&mut data.session().await?).await
    };
    let made = made.await;
    data.close().await;
    Ok(made?)
}

/// A name beside the database for what was there before.
pub(crate) fn kept_name(database: &Path, at: DateTime<Utc>) -> PathBuf {
    beside(
        database,
        &format!(".before-restore-{}", at.format("%Y%m%dT%H%M%SZ")),
    )
}

/// The place in which a backup is put, alone in the hands of this process.
pub(crate) enum InPlace {
    File(sqlite::restore::Place),
    Server(Box<postgres::restore::Place>),
}

impl InPlace {
    /// The last entry of this trail that is in the database now, as far as it can be read.
    fn last_entry_of(&self, chain_id: &[u8]) -> i64 {
        let trail = match self {
            Self::File(place) => place.trail.as_ref(),
            Self::Server(place) => place.trail.as_ref(),
        };
        trail
            .filter(|trail| trail.chain_id == chain_id)
            .map_or(0, |trail| trail.last)
    }

    async fn put(self, draft: &BackupCopy, end: &Trail, at: DateTime<Utc>) -> Result<Before, RestoreError> {
        match self {
            Self::File(place) => place.put(draft, at),
            Self::Server(place) => place.put(draft, end, at).await,
        }
    }
}

/// Keeps what is there under another name.
pub(crate) fn keep_aside(path: &Path, kept: &Path) -> Result<(), RestoreError> {
    // Some file systems know no second names.
    if files::link(path, kept).is_err() {
        let mut from = File::open(path).map_err(io("read", path))?;
        let mut to = private_options()
            .create_new(true)
            .open(kept)
            .map_err(io("make", kept))?;
        std::io::copy(&mut from, &mut to).map_err(io("write", kept))?;
        to.sync_all().map_err(io("write", kept))?;
    }
    Ok(files::sync_folder_of(kept)?)
}
