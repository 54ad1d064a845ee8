//! Which calls fail and how: `strace` lets them, told by the files that they are about. It counts them for each thread of
//! its own; the database's writer is one thread.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use vega_tests::Desk;

use crate::case::API;

/// Calls that change a file or make a change last. SQLite makes the first three, the spool the others.
const OF_DATABASE: &[&str] = &["pwrite64", "fsync", "ftruncate"];
const OF_SPOOL: &[&str] = &["write", "fdatasync"];

/// What the system says.
pub(crate) const ERRORS: &[&str] = &["ENOSPC", "EIO", "EROFS"];

/// One way in which writing goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) call: String,
    pub(crate) number: u32,
    pub(crate) error: &'static str,
    pub(crate) reach: Reach,
}

/// How far it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This call alone.
    Once,
    /// This call and all of its kind after it.
    FromThenOn,
    /// The same, and the spool takes nothing at any time.
    SpoolToo,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reach = match self.reach {
            Reach::Once => "once",
            Reach::FromThenOn => "from then on",
            Reach::SpoolToo => "from then on, and the spool",
        };
        write!(f, "{} {} {} {reach}", self.call, self.number, self.error)
    }
}

impl Fault {
    /// The program that runs `vega` so.
    pub(crate) fn tracer(&self, desk: &Desk) -> Vec<String> {
        let Self {
            call, number, error, ..
        } = self;
        let mut injected = Vec::new();
        match self.reach {
            Reach::Once => injected.push(format!("inject={call}:error={error}:when={number}")),
            Reach::FromThenOn => injected.push(format!("inject={call}:error={error}:when={number}+")),
            Reach::SpoolToo => {
                injected.push(format!("inject={call}:error={error}:when={number}+"));
                injected.push(format!("inject={}:error={error}", OF_SPOOL.join(",")));
            }
        }
        tracer(desk, Path::new("/dev/null"), &injected)
    }

    /// The same where all calls of its kind fail from the first on, as they do for the next program.
    pub(crate) fn that_lasts(&self) -> Self {
        Self {
            number: 1,
            ..self.clone()
        }
    }
}

/// Lets nothing fail and writes every call into `log`.
pub(crate) fn counting_tracer(desk: &Desk, log: &Path) -> Vec<String> {
    tracer(desk, log, &[])
}

/// How often each call was made at most in one thread.
pub(crate) fn counted(log: &Path) -> Result<BTreeMap<String, u32>> {
    let log = std::fs::read_to_string(log).context("strace left no log")?;
    let mut in_threads: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for line in log.lines() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some(call)) = (words.next(), words.next()) else {
            continue;
        };
        let call = call.split('(').next().unwrap_or_default();
        if all_calls().any(|known| known == call) {
            *in_threads.entry((thread, call)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, call), count) in in_threads {
        let entry = most.entry(call.to_owned()).or_default();
        *entry = count.max(*entry);
    }
    Ok(most)
}

fn all_calls() -> impl Iterator<Item = &'static str> {
    OF_DATABASE.iter().chain(OF_SPOOL).copied()
}

/// Whether a call writes to the database, not to the spool.
pub(crate) fn is_of_database(call: &str) -> bool {
    OF_DATABASE.contains(&call)
}

fn tracer(desk: &Desk, log: &Path, expressions: &[String]) -> Vec<String> {
    let database = desk.database();
    let mut words: Vec<String> = ["strace", "--follow-forks", "--seccomp-bpf", "-qq", "-o"]
        .map(str::to_owned)
        .to_vec();
    words.push(log.display().to_string());
    let files = ["db", "db-wal", "db-shm", "db-journal"].map(|ending| database.with_extension(ending));
    let slot = database.with_extension("spool").join(format!("{API}.slot"));
    for file in files.iter().chain([&slot]) {
        words.extend(["-P".to_owned(), file.display().to_string()]);
    }
    let traced = format!("trace={}", all_calls().collect::<Vec<_>>().join(","));
    for expression in [&[traced], expressions].concat() {
        words.extend(["-e".to_owned(), expression]);
    }
    words
}

/// Why no calls can be made to fail here, if so.
pub(crate) fn why_not() -> Option<String> {
    let mut probe = Command::new("strace");
    probe
        .args(["-qq", "-o", "/dev/null", "-e", "inject=getppid:error=EIO", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    match probe.output() {
        Err(_) => Some("strace is not installed".into()),
        Ok(output) if !output.status.success() => Some(format!(
            "strace is not permitted to trace (ptrace): {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Ok(_) => None,
    }
}
