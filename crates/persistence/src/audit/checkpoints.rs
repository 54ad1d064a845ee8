//! Checkpoints of the audit trail: a private file beside the key that records the trail's last entry after each run and
//! after each change that an older file must not undo. A trail that was cut, and a database that was replaced by an
//! older copy, are consistent in themselves; only a record kept elsewhere shows that there was more.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;
use vega_domain::audit::AuditKind;
use vega_domain::ids::RunId;
use vega_domain::ports::StoreError;

use crate::audit::chain::{VALUE_LEN, Value};
use crate::files;
use crate::hex::{hex, unhex};
use crate::key_files::key_source::KeySource;
use crate::stored::unreadable;

const FILE_NAME: &str = "vega.checkpoints";
/// Its first name. A file that still has it is renamed, so that an upgrade loses no checkpoint.
const FORMER_FILE_NAME: &str = "vega.audit-heads";

/// The file. Several databases may share it, as they may share the key.
#[derive(Debug, Clone)]
pub(crate) struct CheckpointFile(PathBuf);

/// Why a checkpoint was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A run ended.
    Run(RunId),
    /// A token was revoked: no older file may bring it back.
    Revocation,
    /// Something else happened that must not be undone by putting an older file back.
    Change,
    /// A run or a revocation: an earlier Vega had one word for both.
    EitherOfBoth,
    /// The operator accepted the trail as it was: checkpoints from before are no longer used.
    Accepted,
}

/// The trail's last entry at some moment: one line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) at: DateTime<Utc>,
    pub(crate) cause: Cause,
    pub(crate) chain_id: Vec<u8>,
    /// 0 where there was no entry yet; the value is then the one before the first entry.
    pub(crate) entry: i64,
    pub(crate) value: Value,
}

impl CheckpointFile {
    /// The file beside the key, or in the folder where Vega keeps what belongs beside a key.
    pub(crate) fn at(source: &KeySource) -> Self {
        let path = source.beside(FILE_NAME);
        let former = source.beside(FORMER_FILE_NAME);
        // Whatever goes wrong here shows where the file is read: it is missing.
        if !path.exists() && former.is_file() {
            let _ = std::fs::rename(former, &path);
        }
        Self(path)
    }

    /// Adds a line, durably. Existing lines stay, also when other processes add lines.
    pub(crate) fn append(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.write(checkpoint).map_err(|source| StoreError::Failed {
            doing: "keep the checkpoint of the audit trail",
            source: source.into(),
        })
    }

    /// The same, on a thread where writing may block.
    pub(crate) async fn append_beside(&self, checkpoint: Checkpoint) -> Result<(), StoreError> {
        let checkpoints = self.clone();
        tokio::task::spawn_blocking(move || checkpoints.append(&checkpoint))
            .await
            .unwrap_or_else(|panicked| Err(unreadable(panicked)))
    }

    fn write(&self, checkpoint: &Checkpoint) -> Result<(), files::FileError> {
        let path = &self.0;
        let is_new = !path.try_exists().map_err(files::io("look for", path))?;
        let mut options = files::private_options();
        let mut file = options
            .append(true)
            .create(true)
            .open(path)
            .map_err(files::io("open", path))?;
        files::refuse_if_open_to_others(path, &file)?;
        // A line that a power cut tore must not take this one with it.
        let torn = ends_within_a_line(&mut file).map_err(files::io("read", path))?;
        let line = format!("{}{}\n", if torn { "\n" } else { "" }, checkpoint.to_line());
        file.write_all(line.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(files::io("write", path))?;
        match path.parent().filter(|_| is_new) {
            Some(folder) => std::fs::File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(files::io("sync", folder)),
            None => Ok(()),
        }
    }

    /// The newest checkpoint of this trail.
    pub(crate) fn newest(&self, chain_id: &[u8]) -> Result<Newest, StoreError> {
        let all = self.readable()?;
        let bears_values = |checkpoint: &&Checkpoint| !matches!(checkpoint.cause, Cause::Run(_));
        let is_of_another = all
            .iter()
            .any(|checkpoint| checkpoint.chain_id != chain_id && bears_values(&checkpoint));
        let checkpoints: Vec<Checkpoint> = all
            .into_iter()
            .filter(|checkpoint| checkpoint.chain_id == chain_id)
            .collect();
        let accepted = checkpoints
            .iter()
            .filter(|checkpoint| checkpoint.cause == Cause::Accepted);
        Ok(Newest {
            accepted: accepted.count(),
            is_told_of: checkpoints.iter().any(|checkpoint| bears_values(&checkpoint)),
            is_strange: checkpoints.is_empty() && is_of_another,
            // Two processes may have added theirs in another order than their entries.
            checkpoint: in_force(&checkpoints)
                .iter()
                .max_by_key(|checkpoint| checkpoint.entry)
                .cloned(),
        })
    }

    /// When something last happened, in any database, that may have revoked a token.
    pub(crate) fn last_revocation(&self) -> Option<DateTime<Utc>> {
        let checkpoints = self.readable().unwrap_or_default();
        let revoke = |cause| matches!(cause, Cause::Revocation | Cause::EitherOfBoth | Cause::Accepted);
        let revocations = checkpoints
            .iter()
            .filter(|checkpoint| revoke(checkpoint.cause) && checkpoint.entry > 0);
        revocations.map(|checkpoint| checkpoint.at).max()
    }

    /// The checkpoints of the file. Lines that are not checkpoints are skipped: one damaged line does not affect the
    /// others.
    pub(crate) fn readable(&self) -> Result<Vec<Checkpoint>, StoreError> {
        let text = self.text(None)?;
        let checkpoints: Vec<Checkpoint> = text.lines().filter_map(Checkpoint::of_line).collect();
        let torn = text.lines().count() - checkpoints.len();
        if torn > 0 {
            tracing::warn!(file = %self.0.display(), torn, "lines of the checkpoints cannot be read and are passed over");
        }
        Ok(checkpoints)
    }

    fn text(&self, copy: Option<&Path>) -> Result<String, StoreError> {
        let path = copy.unwrap_or(&self.0);
        match std::fs::read(path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if copy.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(StoreError::Unreadable(files::io("read", path)(error).to_string())),
        }
    }

    /// All checkpoints of the file, or of this copy of it. No file beside the key means that no run has ended yet.
    pub(crate) fn read(&self, copy: Option<&Path>) -> Result<Vec<Checkpoint>, StoreError> {
        let path = copy.unwrap_or(&self.0);
        let text = self.text(copy)?;
        let lines = text.lines().enumerate();
        lines
            .map(|(number, line)| {
                Checkpoint::of_line(line).ok_or_else(|| {
                    StoreError::Unreadable(format!(
                        "line {} of {} is no checkpoint of an audit trail: a power cut tore it, or somebody changed it. \
                         Put the file back from a backup, or remove that line",
                        number + 1,
                        path.display()
                    ))
                })
            })
            .collect()
    }
}

/// What the file contains about one trail.
pub(crate) struct Newest {
    /// The checkpoint from which the trail must continue.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// How often the operator accepted a trail.
    pub(crate) accepted: usize,
    /// Whether the file shows that the rows of this trail's database have row values: no checkpoint of an earlier Vega
    /// does.
    pub(crate) is_told_of: bool,
    /// Whether the file has no checkpoint of this trail, but has one of another trail.
    pub(crate) is_strange: bool,
}

/// The checkpoints that are used: none from before the operator last accepted the trail as it was.
pub(crate) fn in_force(checkpoints: &[Checkpoint]) -> &[Checkpoint] {
    let accepted = checkpoints
        .iter()
        .rposition(|checkpoint| checkpoint.cause == Cause::Accepted);
    &checkpoints[accepted.unwrap_or(0)..]
}

fn ends_within_a_line(file: &mut std::fs::File) -> std::io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

impl Cause {
    /// The cause for which a write with an entry of this kind keeps a checkpoint; `None` if it keeps none.
    pub(crate) fn of(kind: AuditKind) -> Option<Self> {
        match kind {
            AuditKind::DatabaseAccepted | AuditKind::CommitsLost | AuditKind::DatabaseRestored => {
                Some(Self::Accepted)
            }
            AuditKind::TokenRevoked => Some(Self::Revocation),
            other => other.is_checkpoint().then_some(Self::Change),
        }
    }

    fn to_word(self) -> String {
        match self {
            Self::Run(run) => run.to_string(),
            Self::Revocation => "revocation".into(),
            Self::Change => "other-change".into(),
            Self::EitherOfBoth => "change".into(),
            Self::Accepted => "accepted".into(),
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "revocation" => Self::Revocation,
            "other-change" => Self::Change,
            "change" => Self::EitherOfBoth,
            "accepted" => Self::Accepted,
            run => Self::Run(RunId::from_uuid(Uuid::parse_str(run).ok()?)),
        })
    }
}

impl Checkpoint {
    fn to_line(&self) -> String {
        format!(
            "{} {} {} {} {}",
            self.at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            self.cause.to_word(),
            hex(&self.chain_id),
            self.entry,
            hex(&self.value)
        )
    }

    fn of_line(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let mut next = || words.next();
        let checkpoint = Self {
            at: DateTime::parse_from_rfc3339(next()?).ok()?.to_utc(),
            cause: Cause::of_word(next()?)?,
            chain_id: unhex(next()?)?,
            entry: next()?.parse().ok().filter(|entry| *entry >= 0)?,
            value: <[u8; VALUE_LEN]>::try_from(unhex(next()?)?).ok()?,
        };
        // Another writing of the same is none of Vega's.
        (next().is_none() && checkpoint.to_line() == line).then_some(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(entry: i64) -> Checkpoint {
        Checkpoint {
            at: DateTime::from_timestamp(1_790_000_000, 123_456_000).unwrap(),
            cause: Cause::Run(RunId::from_uuid(Uuid::from_u128(7))),
            chain_id: vec![9; 16],
            entry,
            value: [0xab; VALUE_LEN],
        }
    }

    #[test]
    fn lines_are_read_back_and_torn_ones_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(&KeySource::File(dir.path().join("vega.key")));
        assert_eq!(file.read(None).unwrap(), []);
        file.append(&checkpoint(1)).unwrap();
        file.append(&checkpoint(2)).unwrap();
        assert_eq!(file.read(None).unwrap(), [checkpoint(1), checkpoint(2)]);

        let whole = std::fs::read(&file.0).unwrap();
        std::fs::write(&file.0, &whole[..whole.len() - 3]).unwrap();
        file.append(&checkpoint(3)).unwrap();
        let error = file.read(None).unwrap_err().to_string();
        assert!(error.contains("line 2 of"), "{error}");
        assert_eq!(std::fs::read_to_string(&file.0).unwrap().lines().count(), 3);
    }

    #[test]
    fn a_file_by_the_former_name_is_renamed_and_replaces_none() {
        let dir = tempfile::tempdir().unwrap();
        let source = KeySource::File(dir.path().join("vega.key"));
        let former = dir.path().join(FORMER_FILE_NAME);
        CheckpointFile(former.clone()).append(&checkpoint(1)).unwrap();
        let file = CheckpointFile::at(&source);
        assert_eq!(file.read(None).unwrap(), [checkpoint(1)]);
        assert!(!former.exists());
        CheckpointFile(former.clone()).append(&checkpoint(2)).unwrap();
        let again = CheckpointFile::at(&source);
        assert_eq!(again.read(None).unwrap(), [checkpoint(1)]);
        assert!(former.exists());
    }

    #[test]
    fn a_copy_that_is_not_there_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(&KeySource::File(dir.path().join("vega.key")));
        assert!(file.read(Some(&dir.path().join("copy"))).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private_and_a_looser_one_takes_no_line() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(&KeySource::File(dir.path().join("vega.key")));
        file.append(&checkpoint(1)).unwrap();
        let mode = std::fs::metadata(&file.0).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        std::fs::set_permissions(&file.0, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(file.append(&checkpoint(2)).is_err());
        assert_eq!(file.read(None).unwrap(), [checkpoint(1)]);
    }
}
