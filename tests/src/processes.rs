//! Which processes live, read from `/proc`: a dead one that nobody has reaped yet does not count.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;

/// Names of the living processes whose `HOME` is `home`.
pub(crate) fn with_home(home: &Path) -> Vec<String> {
    folders_with_home(home)
        .filter_map(|folder| std::fs::read_to_string(folder.join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

/// The ids of those of them that have this name.
pub(crate) fn ids_with_home(home: &Path, name: &str) -> Vec<i32> {
    folders_with_home(home)
        .filter(|folder| std::fs::read_to_string(folder.join("comm")).is_ok_and(|comm| comm.trim() == name))
        .filter_map(|folder| folder.file_name()?.to_str()?.parse().ok())
        .collect()
}

/// Their command lines, one per line.
pub(crate) fn command_lines_with_home(home: &Path) -> String {
    folders_with_home(home)
        .filter_map(|folder| std::fs::read(folder.join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " ") + "\n")
        .collect()
}

/// Where `/proc` tells of them.
fn folders_with_home(home: &Path) -> impl Iterator<Item = PathBuf> {
    let mut wanted = b"HOME=".to_vec();
    wanted.extend_from_slice(home.as_os_str().as_bytes());
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(move |folder| {
        // A zombie's environment reads as empty, or not at all. Vega's own is closed to all but root: it is known by who
        // started it.
        let Ok(environment) = std::fs::read(folder.join("environ")) else {
            return !is_zombie(folder) && descends_from_this(folder);
        };
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == wanted)
    })
}

/// Whether the process has ended and waits for its parent to ask.
fn is_zombie(folder: &Path) -> bool {
    let stat = std::fs::read_to_string(folder.join("stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_none_or(|(_, rest)| rest.starts_with('Z'))
}

/// Whether the process was started by this one, or by one that was.
fn descends_from_this(folder: &Path) -> bool {
    let parent = |folder: &Path| -> Option<u32> {
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let parents = std::iter::successors(parent(folder), |id| {
        parent(&Path::new("/proc").join(id.to_string()))
    });
    parents
        .take_while(|id| *id > 0)
        .any(|id| id == std::process::id())
}

/// How a program is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// As by Ctrl-C.
    Interrupt,
    /// As a service manager does.
    Terminate,
    /// As by a terminal that is closed.
    HangUp,
}

impl Stop {
    /// Asks a program that the story started.
    pub fn ask(self, process: &Child) -> Result<()> {
        signal(process, self.into())
    }

    /// Asks the `vega` that runs with this home, whoever started it.
    pub(crate) fn ask_vega_with_home(self, home: &Path) -> Result<()> {
        let is_vega = |folder: &PathBuf| {
            let name = std::fs::read_to_string(folder.join("comm"));
            name.is_ok_and(|name| matches!(name.trim(), "vega" | "vega-hooked"))
        };
        let folder = folders_with_home(home).find(is_vega).context("no vega runs")?;
        let id = folder.file_name().and_then(OsStr::to_str).context("a process")?;
        Ok(kill(Pid::from_raw(id.parse()?), Signal::from(self))?)
    }
}

impl From<Stop> for Signal {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Interrupt => Self::SIGINT,
            Stop::Terminate => Self::SIGTERM,
            Stop::HangUp => Self::SIGHUP,
        }
    }
}

/// Asks a process to end, as a service manager would.
pub fn end_politely(process: &Child) -> Result<()> {
    Stop::Terminate.ask(process)
}

/// Ends a process without giving it a chance to clear up.
pub fn end_at_once(process: &Child) -> Result<()> {
    signal(process, Signal::SIGKILL)
}

/// Holds a process up, as a machine does that is suspended: nothing of it runs, and it does not know.
pub fn hold_up(process: &Child) -> Result<()> {
    signal(process, Signal::SIGSTOP)
}

/// Lets it go on.
pub fn let_go_on(process: &Child) -> Result<()> {
    signal(process, Signal::SIGCONT)
}

fn signal(process: &Child, signal: Signal) -> Result<()> {
    let id = process.id().context("a living process")?;
    Ok(kill(Pid::from_raw(i32::try_from(id)?), signal)?)
}

/// Waits until something is so, generously; returns whether it came to be.
pub async fn until<F: Future<Output = bool>>(is_so: impl Fn() -> F) -> bool {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), wait).await.is_ok()
}
