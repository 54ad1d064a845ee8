//! `cargo xtask machines`: two machines with one PostgreSQL database, to which things happen, and which must keep their promises. The harness
//! is a program of `tests`; with an injected defect it must find a broken promise.

use std::panic::resume_unwind;
use std::thread;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::builds::build_harnesses;
use crate::install;
use crate::shell::{binaries, code_of, root, run, say, step};

/// A defect, and the kind of rounds that shows it.
struct Defect {
    name: &'static str,
    kind: &'static str,
    /// Whether CI has it found. The others take several rounds, and are found by `--defects`.
    is_quick: bool,
}

const fn quick(name: &'static str, kind: &'static str) -> Defect {
    let is_quick = true;
    Defect { name, kind, is_quick }
}

const fn slow(name: &'static str, kind: &'static str) -> Defect {
    let is_quick = false;
    Defect { name, kind, is_quick }
}

const DEFECTS: &[Defect] = &[
    quick("epoch-not-compared", "held-up"),
    quick("no-idle-limit", "within-a-write"),
    quick("no-poll", "news-lost"),
    quick("poll-without-deadline", "forgotten"),
    quick("ledger-by-machine-clock", "clocks-apart"),
    quick("conflict-clears-spool", "late-answer"),
    quick("asynchronous-commit", "crashed"),
    quick("unanswered-is-done", "commit-unanswered"),
    quick("unanswered-is-failed", "commit-unanswered"),
    quick("loss-not-looked-for", "lost-commits"),
    slow("resumed-after-a-loss", "lost-commits"),
    quick("lease-joined", "behind-a-take-over"),
    slow("recv-trusted", "forgotten"),
    slow("no-look-after-reconnect", "out-of-reach"),
    quick("key-committed-before-copied", "key-rotated"),
];
/// Enough to find each of them, whatever is drawn; the first find ends it.
const ROUNDS_FOR_A_DEFECT: &str = "30";
/// Each kind of rounds once.
const SAMPLE: &str = "17";
/// What the harness ends with when a promise is broken.
const BROKEN: i32 = 3;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many rounds
    #[arg(long, default_value = "17")]
    rounds: String,
    /// Where the random numbers begin; each run prints its own
    #[arg(long)]
    seed: Option<String>,
    /// How many pairs of machines at once
    #[arg(long, default_value = "1")]
    desks: String,
    /// Only rounds of these kinds, such as held-up
    #[arg(long, value_name = "KIND")]
    only: Vec<String>,
    /// Print what happened in each round, also where nothing was broken
    #[arg(long)]
    trace: bool,
    /// Inject this defect: then a broken promise must be found
    #[arg(long, value_name = "NAME")]
    defect: Option<String>,
    /// Inject each defect in its turn: each must be found
    #[arg(long, conflicts_with_all = ["defect", "only", "rounds", "trace"])]
    defects: bool,
    /// Print the defects that can be injected, each with the kind of rounds that shows it
    #[arg(long)]
    list_defects: bool,
}

pub(crate) fn run_with(options: &Options) -> Result<()> {
    if options.list_defects {
        for Defect { name, kind, .. } in DEFECTS {
            say(&format!("{name:<24} {kind}"));
        }
        return Ok(());
    }
    install::browser()?;
    install::postgres()?;
    build_harnesses()?;
    if options.defects {
        return all_must_be_found(DEFECTS);
    }
    let mut arguments = vec!["--rounds", &*options.rounds, "--desks", &*options.desks];
    arguments.extend(options.seed.iter().flat_map(|seed| ["--seed", &**seed]));
    arguments.extend(options.only.iter().flat_map(|kind| ["--only", &**kind]));
    if options.trace {
        arguments.push("--trace");
    }
    match &options.defect {
        Some(defect) => must_be_found(defect, &arguments),
        None => run(&root(), &harness(), &arguments),
    }
}

/// What CI runs of it.
pub(crate) fn sample() -> Result<()> {
    // Rounds mostly wait, for a silence of 15 s or a browser.
    thread::scope(|scope| {
        let quick = DEFECTS.iter().filter(|defect| defect.is_quick);
        let defects = scope.spawn(|| all_must_be_found(quick));
        let promises = run(&root(), &harness(), &["--rounds", SAMPLE]);
        let defects = defects.join().unwrap_or_else(|panic| resume_unwind(panic));
        promises.and(defects)
    })
}

fn all_must_be_found<'a>(defects: impl IntoIterator<Item = &'a Defect>) -> Result<()> {
    let mut defects = defects.into_iter();
    defects.try_for_each(|defect| must_be_found(defect.name, &["--rounds", ROUNDS_FOR_A_DEFECT]))
}

/// In rounds of the kind that shows it, where none is named.
fn must_be_found(defect: &str, arguments: &[&str]) -> Result<()> {
    let known = DEFECTS.iter().find(|known| known.name == defect);
    let Defect { kind, .. } =
        known.with_context(|| format!("no defect {defect}: --list-defects has the names"))?;
    let only: &[&str] = if arguments.contains(&"--only") {
        &[]
    } else {
        &["--only", kind]
    };
    let arguments = [arguments, &["--defect", defect], only].concat();
    let code = code_of(&root(), &harness(), &arguments)?;
    ensure!(
        code == Some(BROKEN),
        "the injected defect {defect} was not found: the harness ended with {code:?}"
    );
    step(&format!("{defect} was found, as it must be"));
    Ok(())
}

fn harness() -> String {
    binaries().join("vega-machines").display().to_string()
}
