//! `cargo xtask machines`: two machines with one PostgreSQL database, to which things happen, and which must keep their promises. The harness
//! is a program of `tests`; with an injected defect it must find a broken promise.

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::builds::build_harnesses;
use crate::install;
use crate::shell::{binaries, code_of, root, run, say, step};

/// Each with the kind of rounds that shows it.
const DEFECTS: &[(&str, &str)] = &[
    ("epoch-not-compared", "held-up"),
    ("no-idle-limit", "within-a-write"),
    ("no-poll", "news-lost"),
    ("poll-without-deadline", "forgotten"),
    ("ledger-by-machine-clock", "clocks-apart"),
    ("conflict-clears-spool", "late-answer"),
    ("asynchronous-commit", "crashed"),
];
/// Enough to find each of them, whatever is drawn; the first find ends it.
const ROUNDS_FOR_A_DEFECT: &str = "12";
/// Each kind of rounds once.
const SAMPLE: &str = "11";
/// What the harness ends with when a promise is broken.
const BROKEN: i32 = 3;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many rounds
    #[arg(long, default_value = "11")]
    rounds: String,
    /// Where the random numbers begin; each run prints its own
    #[arg(long)]
    seed: Option<String>,
    /// How many pairs of machines at once
    #[arg(long, default_value = "1")]
    desks: String,
    /// Only rounds of this kind, such as held-up
    #[arg(long, value_name = "KIND")]
    only: Option<String>,
    /// Inject this defect: then a broken promise must be found
    #[arg(long, value_name = "NAME")]
    defect: Option<String>,
    /// Print the defects that can be injected, each with the kind of rounds that shows it
    #[arg(long)]
    list_defects: bool,
}

pub(crate) fn run_with(options: &Options) -> Result<()> {
    if options.list_defects {
        for (defect, kind) in DEFECTS {
            say(&format!("{defect:<24} {kind}"));
        }
        return Ok(());
    }
    install::browser()?;
    install::postgres()?;
    build_harnesses()?;
    let mut arguments = vec!["--rounds", &options.rounds, "--desks", &options.desks];
    let seed = options.seed.iter().flat_map(|seed| ["--seed", seed]);
    arguments.extend(seed);
    let Some(defect) = &options.defect else {
        arguments.extend(options.only.iter().flat_map(|kind| ["--only", kind]));
        return run(&root(), &harness(), &arguments);
    };
    must_be_found(defect, options.only.as_deref(), &arguments)
}

/// What CI runs of it.
pub(crate) fn sample() -> Result<()> {
    run(&root(), &harness(), &["--rounds", SAMPLE, "--desks", "2"])?;
    DEFECTS
        .iter()
        .try_for_each(|(defect, _)| must_be_found(defect, None, &["--rounds", ROUNDS_FOR_A_DEFECT]))
}

/// In rounds of the kind that shows it, or of another one.
fn must_be_found(defect: &str, kind: Option<&str>, arguments: &[&str]) -> Result<()> {
    let known = DEFECTS.iter().find(|(name, _)| *name == defect);
    let (_, shows_it) = known.with_context(|| format!("no defect {defect}: --list-defects has the names"))?;
    let injected = ["--defect", defect, "--only", kind.unwrap_or(shows_it)];
    let code = code_of(&root(), &harness(), &[arguments, &injected].concat())?;
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
