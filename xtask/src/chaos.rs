//! `cargo xtask chaos`: the real `vega` is killed again and again, and must keep its promises. The harness is a program of
//! `tests`; with an injected defect it must find a broken promise.

use anyhow::{Result, ensure};
use clap::Args;

use crate::builds::build_harnesses;
use crate::install;
use crate::shell::{binaries, code_of, root, run, step};

/// Each is against another promise.
const DEFECTS: &[&str] = &[
    "publish-before-commit",
    "drop-journal-write",
    "drop-otp-record",
    "send-twice",
];
/// Enough to find each of them, wherever the kills fall; the first find ends it.
const KILLS_FOR_A_DEFECT: &str = "80";
/// What the harness ends with when a promise is broken.
const BROKEN: i32 = 3;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often vega is killed
    #[arg(long, default_value = "25")]
    kills: String,
    /// Where the random numbers begin; each run prints its own
    #[arg(long)]
    seed: Option<String>,
    /// Inject this defect: then a broken promise must be found
    #[arg(long, value_name = "NAME")]
    defect: Option<String>,
}

pub(crate) fn run_with(options: &Options) -> Result<()> {
    install::harness_tools()?;
    build_harnesses()?;
    if let Some(defect) = &options.defect {
        return must_be_found(defect, &options.kills, options.seed.as_deref());
    }
    keeps_its_promises(&options.kills, options.seed.as_deref())
}

/// What CI runs of it.
pub(crate) fn sample() -> Result<()> {
    keeps_its_promises("25", None)?;
    DEFECTS
        .iter()
        .try_for_each(|defect| must_be_found(defect, KILLS_FOR_A_DEFECT, None))
}

fn keeps_its_promises(kills: &str, seed: Option<&str>) -> Result<()> {
    run(&root(), &harness(), &arguments(kills, seed))
}

fn must_be_found(defect: &str, kills: &str, seed: Option<&str>) -> Result<()> {
    let mut arguments = arguments(kills, seed);
    arguments.extend(["--defect", defect]);
    let code = code_of(&root(), &harness(), &arguments)?;
    ensure!(
        code == Some(BROKEN),
        "the injected defect {defect} was not found: the harness ended with {code:?}"
    );
    step(&format!("{defect} was found, as it must be"));
    Ok(())
}

fn arguments<'a>(kills: &'a str, seed: Option<&'a str>) -> Vec<&'a str> {
    let mut arguments = vec!["--kills", kills];
    arguments.extend(seed.into_iter().flat_map(|seed| ["--seed", seed]));
    arguments
}

fn harness() -> String {
    binaries().join("vega-chaos").display().to_string()
}
