//! `TokenFileWriter` over the file system: the new file is written beside the old one, made durable, checked, and renamed. Nobody ever
//! reads half a file, and a power failure leaves the old one or the new one.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;
use vega_domain::file_delivery::{ContentDigest, DeliveryFailure, DeliveryProblem};
use vega_domain::ports::{Found, TokenFileWriter};
use vega_domain::secret::AccessToken;
use vega_domain::token::StoredToken;
use vega_domain::token_file::{CommandWords, FileAccess, FollowUp, FollowUpSignal, TokenFile};
use zeroize::Zeroizing;

use crate::command::{CommandFailure, run};
use crate::content;
use crate::place::{draft_of, examine, folder_of};

/// A check that takes longer keeps the old token in use.
const CHECK: Duration = Duration::from_secs(10);
/// A service manager may take 90 s to restart a program.
const THEN: Duration = Duration::from_mins(2);
/// Longer than any number of a process.
const LONGEST_PID: u64 = 64;

/// How to find out who else may change a place. Each answers with what is wrong.
#[derive(Debug, Clone, Copy)]
pub struct OthersMayChange {
    /// For a folder in which files are made.
    pub folder: fn(&Path) -> Result<(), String>,
    /// For a file that is read.
    pub file: fn(&Path) -> Result<(), String>,
}

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

    async fn command(
        &self,
        words: &CommandWords,
        path: &Path,
        limit: Duration,
        secret: &AccessToken,
    ) -> Result<(), CommandFailure> {
        let path = path.to_string_lossy();
        run(words, &path, &self.environment, limit, secret.expose()).await
    }
}

#[async_trait]
impl TokenFileWriter for SystemTokenFileWriter {
    async fn look(&self, path: &Path) -> Found {
        let path = path.to_owned();
        blocking(move || look(&path)).await
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
        if let Some(check) = &file.check
            && let Err(failed) = self.command(check, &draft, CHECK, &token.access_token).await
        {
            self.discard(&file.path).await;
            return Err(match failed {
                CommandFailure::Failed(said) => DeliveryFailure::new(DeliveryProblem::CheckFailed, said),
                CommandFailure::TooSlow(said) => DeliveryFailure::new(DeliveryProblem::CheckTooSlow, said),
            });
        }
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

    async fn follow_up(&self, file: &TokenFile, token: &StoredToken) -> Result<(), DeliveryFailure> {
        match &file.then {
            None => Ok(()),
            Some(FollowUp::Command(words)) => {
                let ran = self.command(words, &file.path, THEN, &token.access_token).await;
                ran.map_err(|failed| match failed {
                    CommandFailure::Failed(said) => DeliveryFailure::new(DeliveryProblem::ThenFailed, said),
                    CommandFailure::TooSlow(said) => DeliveryFailure::new(DeliveryProblem::ThenTooSlow, said),
                })
            }
            Some(FollowUp::Signal { signal, pid_file }) => {
                let (signal, pid_file, guard) = (*signal, pid_file.clone(), self.others_may_change);
                blocking(move || send(signal, &pid_file, guard))
                    .await
                    .map_err(|words| DeliveryFailure::new(DeliveryProblem::ThenFailed, words))
            }
        }
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

/// Off the threads that answer programs.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))
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

/// Sends a signal to the process whose number is in a file. Nobody else may choose that process.
fn send(signal: FollowUpSignal, pid_file: &Path, guard: OthersMayChange) -> Result<(), String> {
    (guard.file)(pid_file)?;
    let mut text = String::new();
    let read = File::open(pid_file).and_then(|file| file.take(LONGEST_PID).read_to_string(&mut text));
    read.map_err(|error| format!("{} cannot be read: {error}", pid_file.display()))?;
    // 0, 1 and negative numbers are all processes of a kind, or the first of all.
    let Some(process) = text.trim().parse::<i32>().ok().filter(|process| *process > 1) else {
        return Err(format!("{} holds no number of a process", pid_file.display()));
    };
    let signal = match signal {
        FollowUpSignal::Hup => Signal::SIGHUP,
        FollowUpSignal::Int => Signal::SIGINT,
        FollowUpSignal::Quit => Signal::SIGQUIT,
        FollowUpSignal::Term => Signal::SIGTERM,
        FollowUpSignal::Usr1 => Signal::SIGUSR1,
        FollowUpSignal::Usr2 => Signal::SIGUSR2,
        FollowUpSignal::Winch => Signal::SIGWINCH,
    };
    kill(Pid::from_raw(process), signal).map_err(|error| {
        format!(
            "{signal} cannot be sent to process {process} of {}: {}",
            pid_file.display(),
            error.desc()
        )
    })
}
