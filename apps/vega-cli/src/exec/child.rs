//! The command that `vega exec` runs: started so that it dies when Vega does, told of its tokens in its environment, ended politely. This
//! program becomes the command, after it has tied itself to Vega's life: what a command runs as stays its own.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{AccessFlags, Pid, access, getpgid, getpgrp, getppid};
use tokio::process::{Child as Process, Command};

use crate::terminal::output;

/// The hidden argument that makes this program become a command.
const MARK: &str = "--become-command";
/// This program, also if its file was replaced after the start.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// What shells end with where a command was found and cannot be run.
const NOT_EXECUTABLE: u8 = 126;
/// What they end with where there is none.
const NOT_FOUND: u8 = 127;
/// What they end with after a signal, beside its number.
const SIGNALLED: u8 = 128;

/// A command that runs.
pub(crate) struct Child {
    process: Process,
    pid: Pid,
}

/// Becomes the command and never returns, if this program was started for that. To be called before anything else.
pub(crate) fn become_command_if_asked() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != MARK) {
        return;
    }
    let mut number = || arguments.next().and_then(|word| word.to_str()?.parse().ok());
    let (parent, mask) = (number().unwrap_or_default(), number());
    if let Some(mask) = mask.and_then(|mask| u32::try_from(mask).ok()) {
        umask(Mode::from_bits_truncate(mask));
    }
    let command: Vec<OsString> = arguments.collect();
    let code = run_instead(Pid::from_raw(parent), &command);
    std::process::exit(code.into());
}

/// The files that a command makes are for whom its own user lets in: Vega's are for nobody else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Umask(u32);

impl Umask {
    /// As this process was given it. From now on Vega's own is in force.
    pub(crate) fn of_process() -> Self {
        Self(umask(Mode::from_bits_truncate(0o077)).bits())
    }
}

/// Returns only if that failed.
fn run_instead(parent: Pid, command: &[OsString]) -> u8 {
    let Some((name, arguments)) = command.split_first() else {
        return NOT_FOUND;
    };
    let is_tied = prctl::set_pdeathsig(Signal::SIGKILL).is_ok();
    // It may have died before that.
    if !is_tied || getppid() != parent {
        return signalled(Signal::SIGKILL);
    }
    // Vega keeps some back to hand them on.
    let _ = SigSet::all().thread_unblock();
    let error = std::process::Command::new(name).args(arguments).exec();
    output::problem(&cannot_run(name, &error));
    code_of(&error)
}

fn code_of(error: &io::Error) -> u8 {
    if error.kind() == ErrorKind::NotFound {
        NOT_FOUND
    } else {
        NOT_EXECUTABLE
    }
}

fn cannot_run(name: &OsStr, error: &io::Error) -> String {
    let way_out = if error.kind() == ErrorKind::NotFound {
        "Name it as your shell finds it, or with its path"
    } else {
        "Look whether it is a program that you may run (`chmod +x`)"
    };
    format!("{} cannot be run: {error}. {way_out}", name.display())
}

/// What `vega exec` ends with for a signal.
pub(crate) fn signalled(signal: Signal) -> u8 {
    u8::try_from(signal as i32).map_or(SIGNALLED, |number| SIGNALLED + number)
}

/// What a command ended with, as a shell tells it.
pub(crate) fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| i32::from(SIGNALLED) + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Looks whether there is such a command, before anything is waited for. `Err` holds what to end with, and why.
pub(crate) fn look_for(name: &OsStr, path: Option<&OsStr>) -> Result<(), (u8, String)> {
    let folders = path.map(|path| std::env::split_paths(path).collect::<Vec<_>>());
    let candidates: Vec<_> = match folders {
        Some(folders) if !name.as_encoded_bytes().contains(&b'/') => {
            folders.iter().map(|folder| folder.join(name)).collect()
        }
        _ => vec![Path::new(name).to_owned()],
    };
    let found: Vec<_> = candidates.iter().filter(|file| file.is_file()).collect();
    if found.iter().any(|file| access(*file, AccessFlags::X_OK).is_ok()) {
        return Ok(());
    }
    let error = io::Error::from(
        match (found.is_empty(), candidates.iter().any(|file| file.exists())) {
            (true, false) => ErrorKind::NotFound,
            _ => ErrorKind::PermissionDenied,
        },
    );
    Err((code_of(&error), cannot_run(name, &error)))
}

impl Child {
    /// Starts a command with these variables beside those of this program; without those that have no value.
    pub(crate) fn start(
        command: &[OsString],
        umask: Umask,
        variables: &[(String, Option<String>)],
    ) -> io::Result<Self> {
        let mut process = Command::new(THIS_PROGRAM);
        process
            .arg(MARK)
            .arg(std::process::id().to_string())
            .arg(umask.0.to_string())
            .args(command)
            .stdin(Stdio::inherit());
        for (name, value) in variables {
            match value {
                Some(value) => process.env(name, value),
                None => process.env_remove(name),
            };
        }
        let process = process.spawn()?;
        let id = process.id().and_then(|id| i32::try_from(id).ok());
        let pid = Pid::from_raw(id.ok_or(ErrorKind::NotFound)?);
        Ok(Self { process, pid })
    }

    /// Waits until it ends. May be dropped and called again.
    pub(crate) async fn wait(&mut self) -> io::Result<u8> {
        Ok(code(self.process.wait().await?))
    }

    /// Whether it gets itself what a terminal sends to Vega.
    pub(crate) fn is_in_our_group(&self) -> bool {
        getpgid(Some(self.pid)).is_ok_and(|group| group == getpgrp())
    }

    /// Sends it a signal. One that has ended just now gets none: its id is kept until it was waited for.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.process.id().is_some() {
            let _ = kill(self.pid, signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::found("sh", Ok(()))]
    #[case::with_its_path("/bin/sh", Ok(()))]
    #[case::nowhere("no-such-command-of-vega", Err(127))]
    #[case::nothing_there("/no/such/command", Err(127))]
    #[case::a_folder("/tmp", Err(126))]
    #[case::no_program("/etc/passwd", Err(126))]
    fn a_command_is_looked_for_as_a_shell_does(#[case] name: &str, #[case] expected: Result<(), u8>) {
        let found = look_for(name.as_ref(), Some("/no/such/folder:/bin".as_ref()));
        assert_eq!(found.map_err(|(code, _)| code), expected);
    }

    #[rstest]
    #[case::well(0, 0)]
    #[case::a_code(42 << 8, 42)]
    #[case::the_last_code(255 << 8, 255)]
    #[case::terminated(15, 143)]
    #[case::killed(9, 137)]
    fn an_ending_is_told_as_a_shell_tells_it(#[case] status: i32, #[case] expected: u8) {
        assert_eq!(code(ExitStatus::from_raw(status)), expected);
    }
}
