//! Examines the audit trail of a backup by itself, without the database that it was made from: every entry with the key, and the checkpoints
//! that were kept of it. So a backup is an archive of the trail. What was written after it is no fault of it, and is told.

use std::path::Path;

use vega_domain::audit::AuditVerdict;
use vega_domain::ports::StoreError;

use crate::audit::checkpoints::{Cause, Checkpoint, CheckpointFile};
use crate::database::data_source::DataSource;
use crate::database::open_error::OpenError;
use crate::files::process_lock::taken;
use crate::files::{create_private_dir, io, open_private};
use crate::key_files::key_source::KeySource;
use crate::maintenance::arrival::Trail;
use crate::maintenance::backup_copy::{BackupCopy, UnfitBackup};
use crate::repositories::audit_history::SqlAuditHistory;

/// Where the copy is made.
const FOLDER: &str = "backup-examination";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExaminedBackup {
    /// Whether the trail is the one that Vega wrote, up to its end.
    pub verdict: AuditVerdict,
    /// The newest entry that a checkpoint tells of, if the backup ends before it: written after it was made, or missing in it.
    pub written_up_to: Option<i64>,
    /// Whether all rows beside the trail are trusted by it.
    pub is_trusted: bool,
}

/// Examines the backup in a copy, which is made in `folder` and removed again. `checkpoints` is a copy of the file with the checkpoints;
/// left out, the one beside the key is used.
pub async fn examine_backup(
    key: &KeySource,
    folder: &Path,
    backup: &Path,
    checkpoints: Option<&Path>,
) -> Result<ExaminedBackup, UnfitBackup> {
    let backup = BackupCopy::named(backup)?;
    let kept = CheckpointFile::at(key).read(checkpoints)?;
    create_private_dir(folder)?;
    // One look at a time, so that the next one removes what a look left that died.
    let lock = folder.join(FOLDER).with_extension("lock");
    let held = open_private(&lock)?;
    if !taken(&held).await.map_err(io("lock", &lock))? {
        return Err(UnfitBackup::Busy);
    }
    let copy = BackupCopy::of(&backup, folder.join(FOLDER))?;
    let last = copy.last_entry().await;
    let data = copy.open(key).await.map_err(|error| named_as(error, &backup))?;
    let examined = examine(&data, kept, last).await;
    data.close().await;
    Ok(examined?)
}

/// `last` is the trail's last entry before the copy was opened: that may add one to a backup of an earlier version.
async fn examine(
    data: &DataSource,
    mut kept: Vec<Checkpoint>,
    last: Option<i64>,
) -> Result<ExaminedBackup, StoreError> {
    let trail = Trail::of(&mut data.session().await?).await?;
    let last = last.unwrap_or(trail.last);
    kept.retain(|kept| kept.chain_id == trail.chain_id);
    let history = SqlAuditHistory::new(data.clone());
    let mut judged = None;
    // Each time that the operator, or Vega after a loss, let another trail count, the checkpoints begin anew. A backup may be of before that.
    for era in eras(&kept).into_iter().rev() {
        let of_it = era.iter().filter(|kept| kept.entry <= last).cloned().collect();
        let (found, _) = history.walk(of_it).await?;
        let fits = found.fault.is_none() && found.checkpoints > 0;
        if judged.is_none() || fits {
            // Only of the same time: another trail may have been longer.
            judged = Some((found, era.iter().map(|kept| kept.entry).max()));
        }
        if fits {
            break;
        }
    }
    let (verdict, written) = match judged {
        Some(judged) => judged,
        None => (history.walk(Vec::new()).await?.0, None),
    };
    Ok(ExaminedBackup {
        verdict,
        written_up_to: written.filter(|written| *written > last),
        is_trusted: data.mistrust().await?.is_none(),
    })
}

/// The checkpoints, parted where a trail was accepted.
fn eras(kept: &[Checkpoint]) -> Vec<&[Checkpoint]> {
    let mut borders: Vec<usize> = (0..kept.len())
        .filter(|place| kept[*place].cause == Cause::Accepted)
        .collect();
    borders.insert(0, 0);
    borders.push(kept.len());
    let eras = borders.windows(2).map(|border| &kept[border[0]..border[1]]);
    eras.filter(|era| !era.is_empty()).collect()
}

/// The error names the backup, and not its copy.
fn named_as(error: UnfitBackup, backup: &Path) -> UnfitBackup {
    match error {
        UnfitBackup::Open(OpenError::WrongKey {
            key_file,
            kept,
            elsewhere,
            ..
        }) => UnfitBackup::Open(OpenError::WrongKey {
            key_file,
            database: backup.to_owned(),
            kept,
            elsewhere,
        }),
        UnfitBackup::Open(OpenError::Damaged { found, .. }) => UnfitBackup::Open(OpenError::Damaged {
            path: backup.to_owned(),
            found,
        }),
        UnfitBackup::Open(OpenError::Newer(_)) => UnfitBackup::Open(OpenError::Newer(backup.to_owned())),
        error => error,
    }
}
