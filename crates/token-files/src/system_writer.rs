//! `TokenFileInspector` and `TokenFileWriter` over the file system: the new file is written beside the old one, made durable, checked, and renamed. Nobody ever
//! reads half a file, and a power failure leaves the old one or the new one.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use nix::fcntl::OFlag;
use nix::unistd::Uid;
use sha2::{Digest, Sha256};
use vega_domain::file_delivery::{ContentDigest, DeliveryFailure, DeliveryProblem};
use vega_domain::ports::{Found, TokenFileInspector, TokenFileWriter};
use vega_domain::token::StoredToken;
use vega_domain::token_file::{FileAccess, TokenFile};
use zeroize::Zeroizing;

use crate::blocking::blocking;
use crate::command::{CommandFailure, run};
use crate::content;
use crate::others_may_change::OthersMayChange;
use crate::place::{draft_of, examine, folder_of};

/// A check that takes longer keeps the old token in use.
const CHECK: Duration = Duration::from_secs(10);

/// Writes files with tokens on this machine.
#[derive(Debug)]
pub struct SystemTokenFileWriter {
    others_may_change: OthersMayChange,
    /// What commands get.
    environment: Vec<(OsString, OsString)>,
}

impl SystemTokenFileWriter {
    /// Commands get this environment, which holds no secret.
    pub fn new(others_may_change: OthersMayChange, environment: Vec<(OsString, OsString)>) -> Self {
        Self {
            others_may_change,
            environment,
        }
    }
}

#[async_trait]
impl TokenFileInspector for SystemTokenFileWriter {
    async fn look(&self, path: &Path) -> Found {
        let path = path.to_owned();
        blocking(move || look(&path)).await
    }

    async fn is_as_named(&self, file: &TokenFile, token: &StoredToken) -> bool {
        let (file, token, guard) = (file.clone(), token.clone(), self.others_may_change);
        blocking(move || {
            let Ok(content) = content::of(&file, &token, guard) else {
                return true;
            };
            look(&file.path) == Found::File(digest(content.as_bytes())) && has_access(&file.path, file.access)
        })
        .await
    }

    async fn examine(&self, file: &TokenFile) -> Result<(), DeliveryFailure> {
        let (file, guard) = (file.clone(), self.others_may_change);
        blocking(move || {
            examine(&file.path, guard)?;
            let sample = content::sample(&file.api)
                .map_err(|error| DeliveryFailure::new(DeliveryProblem::TemplateFailed, error.to_string()))?;
            content::of(&file, &sample, guard).map(drop)
        })
        .await
    }
}

#[async_trait]
impl TokenFileWriter for SystemTokenFileWriter {
    async fn prepare(&self, file: &TokenFile, token: &StoredToken) -> Result<ContentDigest, DeliveryFailure> {
        let draft = draft_of(&file.path);
        let (row, token_of_it, guard) = (file.clone(), token.clone(), self.others_may_change);
        let written = blocking(move || {
            examine(&row.path, guard)?;
            let content = content::of(&row, &token_of_it, guard)?;
            let draft = draft_of(&row.path);
            let written = write(&draft, &content, row.access);
            if written.is_err() {
                let _ = std::fs::remove_file(&draft);
            }
            written.map(|()| digest(content.as_bytes()))
        });
        let digest = written.await?;
        let unchecked = Unchecked(Some(draft.clone()));
        if let Some(check) = &file.check
            && let Err(failed) = run(
                check,
                &draft.to_string_lossy(),
                &self.environment,
                CHECK,
                token.access_token.expose(),
            )
            .await
        {
            return Err(match failed {
                CommandFailure::Failed(said) => DeliveryFailure::new(DeliveryProblem::CheckFailed, said),
                CommandFailure::TooSlow(said) => DeliveryFailure::new(DeliveryProblem::CheckTooSlow, said),
            });
        }
        unchecked.keep();
        Ok(digest)
    }

    async fn put(&self, file: &TokenFile) -> Result<(), DeliveryFailure> {
        let path = file.path.clone();
        blocking(move || {
            std::fs::rename(draft_of(&path), &path)
                .and_then(|()| sync_folder_of(&path))
                .map_err(|error| write_failed(&error))
        })
        .await
    }

    async fn discard(&self, path: &Path) {
        let draft = draft_of(path);
        let _ = blocking(move || std::fs::remove_file(draft)).await;
    }

    async fn remove(&self, path: &Path) -> Result<(), DeliveryFailure> {
        let path = path.to_owned();
        blocking(move || {
            for gone in [&path, &draft_of(&path)] {
                match std::fs::remove_file(gone) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(DeliveryFailure::new(
                            DeliveryProblem::RemovalFailed,
                            error.to_string(),
                        ));
                    }
                    _ => {}
                }
            }
            // Where the folder is gone there is nothing to make durable.
            let _ = sync_folder_of(&path);
            Ok(())
        })
        .await
    }
}

/// A new file that is not checked yet. It is gone with this, also where nobody waits for the check any more.
struct Unchecked(Option<PathBuf>);

impl Unchecked {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Unchecked {
    fn drop(&mut self) {
        if let Some(draft) = &self.0 {
            let _ = std::fs::remove_file(draft);
        }
    }
}

fn look(path: &Path) -> Found {
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Found::Nothing,
        Ok(about) if about.is_file() => match std::fs::read(path).map(Zeroizing::new) {
            Ok(content) => Found::File(digest(&content)),
            Err(_) => Found::Other,
        },
        _ => Found::Other,
    }
}

/// Who may read it is as the row says; what that does not say is Vega's own.
fn has_access(path: &Path, access: FileAccess) -> bool {
    let owner = access.owner.unwrap_or_else(|| Uid::effective().as_raw());
    path.symlink_metadata().is_ok_and(|about| {
        // A folder may give its files a group of its own.
        let has_group = access.group.is_none_or(|group| about.gid() == group);
        about.mode() & 0o7777 == access.mode.bits() && about.uid() == owner && has_group
    })
}

fn digest(content: &[u8]) -> ContentDigest {
    ContentDigest(Sha256::digest(content).into())
}

/// A new file with this in it, durable but for its name. For its owner alone until all of it is there.
fn write(draft: &Path, content: &str, access: FileAccess) -> Result<(), DeliveryFailure> {
    match std::fs::remove_file(draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(write_failed(&error)),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(draft)
        .map_err(|error| write_failed(&error))?;
    file.write_all(content.as_bytes())
        .map_err(|error| write_failed(&error))?;
    let refused = |error: io::Error| DeliveryFailure::new(DeliveryProblem::OwnerRefused, error.to_string());
    if access.owner.is_some() || access.group.is_some() {
        fchown(&file, access.owner, access.group).map_err(refused)?;
    }
    file.set_permissions(Permissions::from_mode(access.mode.bits()))
        .map_err(refused)?;
    file.sync_all().map_err(|error| write_failed(&error))
}

fn write_failed(error: &io::Error) -> DeliveryFailure {
    DeliveryFailure::new(DeliveryProblem::WriteFailed, error.to_string())
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path)).and_then(|folder| folder.sync_all())
}
