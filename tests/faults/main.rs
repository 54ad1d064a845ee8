//! `cargo xtask faults`: one sign-in of one API again and again, and each time another call to the system fails that writes
//! to the database or the spool. What can fail is `fault`'s, what must hold then `case`'s, the real full disk `full_disk`'s.

mod case;
mod fault;
mod full_disk;
mod sweep;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use vega_tests::say;

/// Lets every write of a sign-in fail, one after the other, and looks whether Vega keeps its promises.
#[derive(Debug, Parser)]
struct Options {
    /// Every so-manyeth case only, spread over all of them; 1 is every case
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// How many cases at once
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Only cases whose words contain this
    #[arg(long)]
    only: Option<String>,
    /// Leave calls that fail out where they cannot be made to fail
    #[arg(long)]
    allow_skip: bool,
}

/// Promises were broken; anything else that goes wrong ends with 1.
const BROKEN: u8 = 3;

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let broken = runtime.block_on(run(&options))?;
    Ok(if broken { BROKEN.into() } else { ExitCode::SUCCESS })
}

/// Whether promises were broken.
async fn run(options: &Options) -> Result<bool> {
    let mut broken = false;
    match fault::why_not() {
        None => broken |= sweep::run(options).await?,
        Some(why) if options.allow_skip => skipped("calls that fail", &why),
        Some(why) => bail!(
            "calls cannot be made to fail here: {why}. Run this where they can, or leave it out with --allow-skip"
        ),
    }
    match full_disk::why_not() {
        None => broken |= full_disk::run().await?,
        Some(why) => skipped("a full disk", &why),
    }
    Ok(broken)
}

fn skipped(what: &str, why: &str) {
    say(&format!("SKIPPED, NOT TESTED: {what}. {why}"));
}
