//! Builds what stories and harnesses run.

use anyhow::Result;

use crate::shell::{self, root};

/// The programs of `tests` that kill and meddle, and the programs with test hooks and all defects that can be injected.
pub(crate) fn build_harnesses() -> Result<()> {
    let programs = [
        "-p",
        "vega-tests",
        "-p",
        "vega-hooked",
        "--features",
        "vega-hooked/injected-defects",
    ];
    shell::run(
        &root(),
        "cargo",
        &[&["build", "--locked", "--bins"], programs.as_slice()].concat(),
    )
}

pub(crate) fn build_programs() -> Result<()> {
    let programs = ["-p", "vega-cli", "-p", "vega-server", "-p", "upstox-simulator"];
    shell::run(
        &root(),
        "cargo",
        &[&["build", "--locked", "--bins"], programs.as_slice()].concat(),
    )
}
