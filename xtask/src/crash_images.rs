//! `cargo xtask crash-images`: what power cuts leave of the database. Records what a workload really writes, makes images
//! of what a disk may hold after a cut at any point of it, and has each examined: whatever Vega called durable must be
//! there, and whole. With an injected defect the same search must find a loss.

mod disk;
mod random;
mod recording;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::install;
use crate::shell::{self, output, root, say, step, target};
use disk::{Change, Disk, Image, Luck};
use random::Random;
use recording::{Event, Place};

/// So many failing images stay, as the cut left them.
const KEPT: usize = 5;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many power cuts
    #[arg(long, default_value_t = 1_000)]
    images: usize,
    /// Makes the same cuts again, in the same recording; drawn by lot if it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// Inject a defect; the command then fails, because it finds what is lost
    #[arg(long)]
    defect: Option<InjectedDefect>,
}

/// A defect that must be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum InjectedDefect {
    /// The workload writes with synchronous=NORMAL, so commits are called durable before they are
    SynchronousNormal,
    /// One write to SQLite's journal never reaches the disk, though it was synced
    DroppedWrite,
}

/// What became of all images.
#[derive(Default)]
struct Findings {
    whole: usize,
    lost: usize,
    damaged: usize,
    examples: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        can_record()?,
        "strace may not trace here (ptrace is forbidden, as in many containers), so nothing can be recorded"
    );
    build()?;
    let seed = options.seed.unwrap_or_else(by_lot);
    let findings = search(options.images, seed, options.defect)?;
    ensure!(
        findings.lost + findings.damaged == 0,
        "{} of {} power cuts took something that was durable",
        findings.lost + findings.damaged,
        options.images
    );
    Ok(())
}

/// For `cargo xtask test`: a few cuts, and the proof that the search finds what there is to find.
pub(crate) fn run_briefly() -> Result<()> {
    const IMAGES: usize = 30;
    if !can_record()? {
        step(
            "SKIPPED: power cuts of the database. strace may not trace here, so NOTHING WAS PROVEN about them",
        );
        return Ok(());
    }
    build()?;
    let seed = by_lot();
    let findings = search(IMAGES, seed, None)?;
    ensure!(
        findings.whole == IMAGES,
        "power cuts took something that was durable. Again: cargo xtask crash-images --images {IMAGES} --seed {seed}"
    );
    for defect in [InjectedDefect::SynchronousNormal, InjectedDefect::DroppedWrite] {
        let findings = search(IMAGES, seed, Some(defect))?;
        ensure!(
            findings.lost > 0,
            "{defect:?} was injected and no loss was found, so the search proves nothing (seed {seed})"
        );
    }
    Ok(())
}

fn can_record() -> Result<bool> {
    if !cfg!(target_os = "linux") {
        return Ok(false);
    }
    install::harness_tools()?;
    Ok(works_as("strace", &["-f", "-o", "/dev/null", "true"]))
}

fn works_as(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn build() -> Result<()> {
    let example = [
        "build",
        "--locked",
        "-p",
        "vega-persistence",
        "--example",
        "crash_images",
    ];
    // The one with the defect first, put aside: the other one is built to the same place.
    let with_defect = [example.as_slice(), &["--features", "injected-defects"]].concat();
    shell::run(&root(), "cargo", &with_defect)?;
    std::fs::copy(workload(None), workload(Some(InjectedDefect::SynchronousNormal)))?;
    shell::run(&root(), "cargo", &example)
}

/// The workload's program.
fn workload(defect: Option<InjectedDefect>) -> PathBuf {
    let name = match defect {
        Some(InjectedDefect::SynchronousNormal) => "crash_images_synchronous_normal",
        Some(InjectedDefect::DroppedWrite) | None => "crash_images",
    };
    target().join("debug/examples").join(name)
}

#[expect(
    clippy::disallowed_methods,
    reason = "any number will do, if it is another one each time"
)]
fn by_lot() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ since.as_secs()
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the search took is told, and decides nothing"
)]
fn search(images: usize, seed: u64, defect: Option<InjectedDefect>) -> Result<Findings> {
    let began = Instant::now();
    let folder = target().join("crash-images");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let injected = defect.map_or(String::new(), |defect| format!(", {defect:?} injected"));
    step(&format!("{images} power cuts, seed {seed}{injected}"));
    let mut events = record(&folder.join("workload"), defect)?;
    if defect == Some(InjectedDefect::DroppedWrite) {
        drop_a_write(&mut events)?;
    }
    let mut checker = Checker::start()?;
    let mut findings = Findings::default();
    for (number, cut) in cuts(&events, images, seed) {
        let place = folder.join(format!("image-{number}"));
        cut.write(&place)?;
        let verdict = checker.examine(&place)?;
        let is_kept = findings.add(&verdict, &cut, number);
        std::fs::remove_dir_all(&place)?;
        if is_kept {
            // Anew: opening it has changed it.
            cut.write(&place)?;
        }
    }
    for example in &findings.examples {
        say(example);
    }
    say(&format!(
        "{images} power cuts in {} recorded events, seed {seed}{injected}: {} whole, {} lost a commit, {} damaged; \
         {:.0} s",
        events.len(),
        findings.whole,
        findings.lost,
        findings.damaged,
        began.elapsed().as_secs_f64()
    ));
    Ok(findings)
}

/// Runs the workload under strace and reads what it did.
fn record(folder: &Path, defect: Option<InjectedDefect>) -> Result<Vec<Event>> {
    std::fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    let (root_text, log) = (folder.display().to_string(), folder.with_extension("strace"));
    let log_text = log.display().to_string();
    let calls = format!("trace={}", recording::CALLS);
    let program = workload(defect).display().to_string();
    let mut arguments = vec![
        "-f",
        "-y",
        "-xx",
        "-s",
        "1048576",
        "--seccomp-bpf",
        "-o",
        &log_text,
        "-e",
        &calls,
        &program,
        "work",
        &root_text,
    ];
    if defect == Some(InjectedDefect::SynchronousNormal) {
        arguments.extend(["--defect", "synchronous-normal"]);
    }
    output(&root(), "strace", &arguments).context("the workload under strace")?;
    let text = std::fs::read_to_string(&log)?;
    let events = recording::read(&text, &root_text)?;
    let promises = events
        .iter()
        .filter(|event| matches!(event, Event::Acknowledged { .. }))
        .count();
    ensure!(promises > 100, "the recording holds only {promises} promises");
    std::fs::remove_file(&log)?;
    Ok(events)
}

/// Takes the first page out of the journal where it grows longest before SQLite begins it anew: until then whatever
/// comes after that page cannot be read.
fn drop_a_write(events: &mut Vec<Event>) -> Result<()> {
    let journal = |event: &Event, is_meant: fn(Place, usize) -> bool| match event {
        Event::Written { name, at, bytes } => name.ends_with("-wal") && is_meant(*at, bytes.len()),
        _ => false,
    };
    let mut begun: Vec<usize> = (0..events.len())
        .filter(|at| journal(&events[*at], |at, _| at == Place::Offset(0)))
        .collect();
    begun.push(events.len());
    let longest = begun.windows(2).max_by_key(|pair| pair[1] - pair[0]);
    let from = longest.context("no journal was written")?[0];
    let page = events[from..]
        .iter()
        .position(|event| journal(event, |_, length| length >= 4096));
    events.remove(from + page.context("the journal has no page")?);
    Ok(())
}

/// One image with what was promised before it.
struct Cut {
    image: Image,
    promised: String,
    at: usize,
    luck: Luck,
}

impl Cut {
    fn write(&self, folder: &Path) -> Result<()> {
        for part in ["data", "config"] {
            std::fs::create_dir_all(folder.join(part))?;
        }
        for (name, content) in &self.image {
            let path = folder.join(name);
            std::fs::write(&path, content)?;
            private(&path)?;
        }
        Ok(std::fs::write(folder.join("acknowledged"), &self.promised)?)
    }
}

/// Vega refuses files that others can read.
fn private(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Cuts at points drawn by lot, in the order of the recording, so that it is gone through once.
fn cuts(events: &[Event], images: usize, seed: u64) -> impl Iterator<Item = (usize, Cut)> {
    let mut drawn: Vec<(usize, usize)> = (0..images)
        .map(|number| {
            (
                Random::new(seed, number as u64 * 2).below(events.len() + 1),
                number,
            )
        })
        .collect();
    drawn.sort_unstable();
    let mut replay = Replay::default();
    let mut next = 0;
    drawn.into_iter().map(move |(at, number)| {
        for event in &events[next..at] {
            replay.take(event);
        }
        next = at;
        let mut random = Random::new(seed, number as u64 * 2 + 1);
        let luck = match random.below(8) {
            0 => Luck::Nothing,
            1 => Luck::Everything,
            2 | 3 => Luck::Beginning,
            4 => Luck::Some(random.below(101)),
            5 | 6 => Luck::Sectors(512),
            _ => Luck::Sectors(4096),
        };
        let cut = Cut {
            image: replay.disk.after_power_cut(luck, &mut random),
            promised: replay.promised.clone(),
            at,
            luck,
        };
        (number, cut)
    })
}

#[derive(Default)]
struct Replay {
    disk: Disk,
    promised: String,
    began: HashMap<String, usize>,
}

impl Replay {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Created { name } => self.disk.create(name),
            Event::Written { name, at, bytes } => {
                let offset = match at {
                    Place::Offset(offset) => *offset,
                    Place::End => self.disk.length(name).unwrap_or(0),
                };
                let bytes = bytes.clone();
                self.disk.change(name, Change::Write { offset, bytes });
            }
            Event::Truncated { name, length } => self.disk.change(name, Change::Truncate { length: *length }),
            Event::SyncBegan { name } => {
                // Of two at once, the earlier one counts for both.
                self.began.entry(name.clone()).or_insert(self.disk.now());
            }
            Event::Synced { name } => {
                let began = self.began.remove(name).unwrap_or(0);
                self.disk.sync(name, began);
            }
            Event::FolderSynced { folder } => {
                self.began.remove(folder);
                self.disk.sync_folder(folder);
            }
            Event::Linked { from, to } => self.disk.link(from, to),
            Event::Unlinked { name } => self.disk.unlink(name),
            Event::Acknowledged { text } => self.promised.push_str(text),
        }
    }
}

impl Findings {
    /// Returns whether the image is worth keeping.
    fn add(&mut self, verdict: &str, cut: &Cut, number: usize) -> bool {
        match verdict.split(':').next() {
            Some("whole") => self.whole += 1,
            Some("lost") => self.lost += 1,
            _ => self.damaged += 1,
        }
        let is_kept = !verdict.starts_with("whole:") && self.examples.len() < KEPT;
        if is_kept {
            self.examples.push(format!(
                "image {number}, cut after event {}, {:?} of what was not synced: {verdict}",
                cut.at, cut.luck
            ));
        }
        is_kept
    }
}

/// The program that opens images with Vega's own code.
struct Checker {
    process: Child,
    folders: Option<ChildStdin>,
    verdicts: BufReader<ChildStdout>,
}

impl Checker {
    fn start() -> Result<Self> {
        let mut process = Command::new(target().join("debug/examples/crash_images"))
            .arg("check")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the checker cannot be started")?;
        let folders = process.stdin.take();
        let verdicts = process.stdout.take().context("the checker has no output")?;
        Ok(Self {
            process,
            folders,
            verdicts: BufReader::new(verdicts),
        })
    }

    fn examine(&mut self, folder: &Path) -> Result<String> {
        let folders = self.folders.as_mut().context("the checker has no input")?;
        writeln!(folders, "{}", folder.display())?;
        let mut verdict = String::new();
        let read = self.verdicts.read_line(&mut verdict)?;
        ensure!(read > 0, "the checker ended at {}", folder.display());
        Ok(verdict.trim_end().to_owned())
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        drop(self.folders.take());
        let _ = self.process.wait();
    }
}
