//! A child program that ends with Vega on every path: under keepers if this program has them, otherwise as well as a
//! process group and a signal at the death of its parent can ensure it. Every program that drives a browser is started
//! here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

const END_TIMEOUT: Duration = Duration::from_secs(10);

/// A running program. Dropping it ends it, with all that it has started.
#[derive(Debug)]
pub struct Tied {
    child: Child,
    /// The tie: when it is closed, the keepers end everything.
    tie: Option<ChildStdin>,
}

impl Tied {
    /// Starts `program` with no other environment than `environment`; its outputs are pipes. The keepers remove
    /// `folders` when they end.
    pub fn start(
        program: &Path,
        arguments: &[&str],
        environment: &[(OsString, OsString)],
        folders: &[PathBuf],
    ) -> std::io::Result<Self> {
        let mut command = command(program);
        command
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(target_os = "linux")]
        command.envs(crate::keeper::folders_to_take(folders));
        #[cfg(not(target_os = "linux"))]
        let _ = folders;
        let mut child = command.spawn()?;
        let tie = child.stdin.take();
        Ok(Self { child, tie })
    }

    /// Its standard output. Can be taken once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its error output. Can be taken once.
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits until the program has ended by itself.
    pub async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Ends the program and waits until none of its processes is left.
    pub async fn end(mut self) {
        if self.tie.take().is_some() && tokio::time::timeout(END_TIMEOUT, self.child.wait()).await.is_ok() {
            return;
        }
        self.kill_group();
        let _ = tokio::time::timeout(END_TIMEOUT, self.child.wait()).await;
    }

    fn kill_group(&mut self) {
        #[cfg(unix)]
        if let Some(leader) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            use nix::sys::signal::{Signal, killpg};
            let _ = killpg(nix::unistd::Pid::from_raw(leader), Signal::SIGKILL);
        }
        let _ = self.child.start_kill();
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        if self.tie.take().is_none() {
            self.kill_group();
        }
    }
}

/// On Linux the kernel kills the program when its parent dies, but not the programs that it started itself. Keepers end
/// those.
#[cfg(target_os = "linux")]
fn command(program: &Path) -> Command {
    const PARENT_DEATH: [&str; 4] = ["setpriv", "--pdeathsig", "KILL", "--"];
    let mut command = if let Some(mut command) = crate::keeper::keepers() {
        command.args(PARENT_DEATH);
        Command::from(command)
    } else {
        tracing::warn!(
            "this program does not begin with `keep_if_asked`: should it be killed, a browser behind a launcher may live on"
        );
        let [first, rest @ ..] = PARENT_DEATH;
        let mut command = Command::new(first);
        command.args(rest).process_group(0).stdin(Stdio::null());
        command
    };
    command.arg(program);
    command
}

#[cfg(not(target_os = "linux"))]
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    command
}
