//! A keeper: a process that ends everything that it started, with all descendants, when its parent dies. It is this
//! same program, executed anew before it has read anything, so its memory holds no secret. Orphaned descendants become
//! its children (`PR_SET_CHILD_SUBREAPER`), even behind a launcher, a double fork or `setsid`; so the keeper kills its
//! children until it has none. Two keepers are started, one inside the other: if either is killed, the other one still
//! ends everything. Only Linux can do this.
//!
//! It is single-threaded on purpose: a child that nobody else reaps keeps its process id, so no unrelated process is
//! ever killed.

use std::ffi::OsString;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stderr, dup2_stdout};

/// The hidden argument that starts a keeper.
const MARK: &str = "--keep-browser";
/// This program, also if its file was replaced after the start.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// The process name of keepers, so that a kill by the name of the program does not hit them.
const NAME: &str = "browser-keeper";
/// The folders that are removed with the processes. In the environment, because everybody can read a command line.
const FOLDERS: &str = "BROWSER_KEEPER_FOLDERS";
/// The exit code with which a shell reports that a program could not be started.
const NOT_STARTED: i32 = 127;
/// How long to wait before looking again for children that do not die at once.
const LOOK_AGAIN_MS: u16 = 10;
/// The number of looks; a child that still lives then cannot be killed by this process.
const LOOKS: u32 = 1_000;

/// Whether this program's `main` calls `keep_if_asked` first.
static CAN_KEEP: AtomicBool = AtomicBool::new(false);

/// Acts as a keeper and then ends the process, if it was started as a keeper; otherwise returns at once. Must be called
/// first in the `main` of every program that signs in: only such a program can have keepers.
pub fn keep_if_asked() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == MARK) {
        let command: Vec<OsString> = arguments.collect();
        let code = keep(&command).unwrap_or_else(|error| {
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{NAME}: {error}\n"));
            NOT_STARTED
        });
        std::process::exit(code);
    }
    CAN_KEEP.store(true, Ordering::Relaxed);
}

/// The beginning of a command line whose rest runs under two keepers. The standard input is the tie: the keepers end
/// everything when it is closed. `None`: this program cannot have keepers.
pub(crate) fn keepers() -> Option<Command> {
    let can_keep = CAN_KEEP.load(Ordering::Relaxed);
    can_keep.then(|| {
        let mut command = keeper();
        command.arg(MARK);
        command
    })
}

/// The folders that keepers remove when they end.
pub(crate) fn folders_to_take(folders: &[PathBuf]) -> Option<(&'static str, OsString)> {
    Some((FOLDERS, std::env::join_paths(folders).ok()?))
}

fn keeper() -> Command {
    let mut command = Command::new(THIS_PROGRAM);
    command
        .arg0(NAME)
        .arg(MARK)
        .process_group(0)
        .stdin(Stdio::piped());
    command
}

/// Runs the command until none of its processes is left. Returns the exit code of its first process.
fn keep(command: &[OsString]) -> Result<i32, String> {
    let failed = |doing: &'static str| move |error: Errno| format!("cannot {doing}: {error}");
    let _ = prctl::set_name(c"browser-keeper");
    prctl::set_child_subreaper(true).map_err(failed("adopt orphans"))?;
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        signals.add(signal);
    }
    // The standard library gives children an empty mask.
    signals.thread_block().map_err(failed("hold signals back"))?;
    let told = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(failed("listen to signals"))?;
    let folders = folders();
    let first = start(command)?;
    // From now on the outputs belong to what was started: they end with it, and not with the keeper.
    if let Ok(nothing) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = dup2_stdout(&nothing);
        let _ = dup2_stderr(&nothing);
    }
    let mut keeping = Keeping {
        pid: first.id(),
        code: None,
        end: None,
        looks: 0,
        _first: first,
    };
    while keeping.reap() {
        if keeping.end.is_some() && !keeping.kill_children() {
            break;
        }
        keeping.wait(&told);
    }
    if keeping.end == Some(End::Asked) {
        for folder in folders {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
    Ok(keeping.code.unwrap_or_default())
}

/// Starts the inner keeper, or in the inner keeper the program itself.
fn start(command: &[OsString]) -> Result<Child, String> {
    let [program, arguments @ ..] = command else {
        return Err("nothing to keep".into());
    };
    let mut command = if program == MARK {
        keeper()
    } else {
        let mut command = Command::new(program);
        command.env_remove(FOLDERS).process_group(0).stdin(Stdio::null());
        command
    };
    command
        .args(arguments)
        .spawn()
        .map_err(|error| format!("{} cannot be started: {error}", program.display()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a keeper has no settings: this is how its parent tells it what to take away"
)]
fn folders() -> Vec<PathBuf> {
    let given = std::env::var_os(FOLDERS).unwrap_or_default();
    std::env::split_paths(&given)
        .filter(|folder| folder.is_absolute())
        .collect()
}

/// Why the keeper ends everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The parent died, closed the tie or asked for it.
    Asked,
    /// The first process was killed, so nobody controls what it started.
    Orphaned,
}

struct Keeping {
    pid: u32,
    code: Option<i32>,
    end: Option<End>,
    looks: u32,
    /// Holds the tie of the inner keeper.
    _first: Child,
}

impl Keeping {
    /// Reaps the children that have died. Returns whether there are others.
    fn reap(&mut self) -> bool {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => return true,
                Ok(WaitStatus::Exited(pid, code)) if self.is_first(pid) => self.code = Some(code),
                Ok(WaitStatus::Signaled(pid, signal, _)) if self.is_first(pid) => {
                    self.code = Some(128 + signal as i32);
                    self.end.get_or_insert(End::Orphaned);
                }
                // A signal without a name.
                Err(Errno::EINVAL) => {
                    self.end.get_or_insert(End::Orphaned);
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn is_first(&self, pid: Pid) -> bool {
        u32::try_from(pid.as_raw()).is_ok_and(|pid| pid == self.pid)
    }

    /// Kills the children. Returns whether it makes sense to go on.
    fn kill_children(&mut self) -> bool {
        self.looks += 1;
        for child in children() {
            let _ = kill(child, Signal::SIGKILL);
        }
        self.looks < LOOKS
    }

    /// Waits for news of children, for a signal, or for the end of the parent.
    fn wait(&mut self, told: &SignalFd) {
        let input = std::io::stdin();
        let mut sources = vec![PollFd::new(told.as_fd(), PollFlags::POLLIN)];
        let timeout = if self.end.is_some() {
            PollTimeout::from(LOOK_AGAIN_MS)
        } else {
            sources.push(PollFd::new(input.as_fd(), PollFlags::POLLIN));
            PollTimeout::NONE
        };
        if poll(&mut sources, timeout).is_err() {
            return;
        }
        let has_news = |source: Option<&PollFd<'_>>| source.is_some_and(|source| source.any() == Some(true));
        let input_has_news = has_news(sources.get(1));
        if input_has_news && !matches!(input.lock().read(&mut [0; 64]), Ok(1..)) {
            self.end = Some(End::Asked);
        }
        while let Ok(Some(signal)) = told.read_signal() {
            if i32::try_from(signal.ssi_signo) != Ok(Signal::SIGCHLD as i32) {
                self.end = Some(End::Asked);
            }
        }
    }
}

/// Living processes whose parent is this one.
fn children() -> Vec<Pid> {
    let this = Pid::this();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw));
    processes
        .filter(|pid| parent_of_living(*pid) == Some(this))
        .collect()
}

fn parent_of_living(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold anything, a bracket too.
    let (_, after) = stat.rsplit_once(") ")?;
    let mut fields = after.split(' ');
    let is_dead = matches!(fields.next(), Some("Z" | "X"));
    let parent = fields.next()?.parse().ok()?;
    (!is_dead).then_some(Pid::from_raw(parent))
}
