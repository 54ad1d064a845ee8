//! Examines the audit trail of a backup by itself, without the database that it was made from: every entry with the key, and the checkpoints
//! that were kept of it. So a backup is an archive of the trail. What was written after it is no fault of it, and is told.

use std::path::Path;

use vega_domain::audit::AuditVerdict;

use crate::audit::checkpoints::{Checkpoint, CheckpointFile};
use crate::files::create_private_dir;
use crate::key_files::key_source::KeySource;
use crate::maintenance::arrival::Trail;
use crate::maintenance::backup_copy::{BackupCopy, UnfitBackup};
use crate::repositories::audit_history::SqlAuditHistory;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExaminedBackup {
    /// Whether the trail is the one that Vega wrote, up to its end.
    pub verdict: AuditVerdict,
    /// The newest entry that a checkpoint tells of, if the backup ends before it.
    pub written_up_to: Option<i64>,
    /// Why the database in it counts for nothing, if it is so.
    pub mistrust: Option<String>,
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
    let copy = BackupCopy::of(&backup, folder.join(format!("examined-{}", std::process::id())))?;
    let data = copy.open(key).await?;
    let examined = async {
        let trail = Trail::of(&mut data.session().await?).await?;
        let (of_it, later): (Vec<Checkpoint>, Vec<Checkpoint>) = kept
            .into_iter()
            .partition(|kept| kept.chain_id != trail.chain_id || kept.entry <= trail.last);
        Ok(ExaminedBackup {
            verdict: SqlAuditHistory::new(data.clone()).walk(of_it).await?.0,
            written_up_to: later.iter().map(|later| later.entry).max(),
            mistrust: data.mistrust().await?,
        })
    };
    let examined = examined.await;
    data.close().await;
    examined
}
