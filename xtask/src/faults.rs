//! `cargo xtask faults`: every write of a sign-in fails once, and again for good, and a disk gets full. The harness is a
//! program of `tests`.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::builds::build_harnesses;
use crate::install;
use crate::open_hours;
use crate::shell::{binaries, root, run};

/// Every write with every error takes less, also on a slow machine.
const ALL: Duration = Duration::from_hours(1);
const SAMPLED: Duration = Duration::from_mins(5);
/// One of so many cases takes a minute; which ones it is does not change.
const SAMPLE: &str = "29";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Every so-manyeth case only; 1 is every case
    #[arg(long, default_value = "1")]
    every: String,
    /// How many cases at once
    #[arg(long, default_value = "4")]
    jobs: String,
    /// Only cases whose words contain this, such as "pwrite64 12 EIO once"
    #[arg(long)]
    only: Option<String>,
    /// Leave out what cannot be tried here, and say so
    #[arg(long)]
    allow_skip: bool,
}

pub(crate) fn run_with(options: &Options) -> Result<()> {
    install::harness_tools()?;
    build_harnesses()?;
    open_hours::wait_for(ALL);
    let mut arguments = vec!["--every", &options.every, "--jobs", &options.jobs];
    if let Some(only) = &options.only {
        arguments.extend(["--only", only]);
    }
    if options.allow_skip {
        arguments.push("--allow-skip");
    }
    run(&root(), &harness(), &arguments)
}

/// What CI runs of it.
pub(crate) fn sample() -> Result<()> {
    open_hours::wait_for(SAMPLED);
    run(&root(), &harness(), &["--every", SAMPLE])
}

fn harness() -> String {
    binaries().join("vega-faults").display().to_string()
}
