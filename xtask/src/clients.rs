//! `cargo xtask clients`: the client libraries. Those of other languages with their own test runners, against the real server and the
//! simulator; Rust's with all its features, which the Rust tests of everything leave out, and as a package.

use std::time::Duration;

use anyhow::Result;

use crate::builds::{build_harnesses, build_programs};
use crate::install;
use crate::open_hours;
use crate::shell::{binaries, root, run, run_with, target};

/// Both take less, also on a slow machine.
const LENGTH: Duration = Duration::from_mins(6);

pub(crate) fn run_alone() -> Result<()> {
    install::browser()?;
    install::harness_tools()?;
    install::story_packages()?;
    build_programs()?;
    build_harnesses()?;
    clients()
}

/// Needs the programs, also with test hooks, a browser, and the packages of the stories.
pub(crate) fn clients() -> Result<()> {
    rust()?;
    open_hours::wait_for(LENGTH);
    python()?;
    node()
}

fn rust() -> Result<()> {
    let client = ["-p", "vega-client", "--locked", "--all-features"];
    let clippy = ["--all-targets", "--", "-D", "warnings"];
    run(&root(), "cargo", &[&["clippy"], &client[..], &clippy].concat())?;
    // With those in its documentation.
    run(&root(), "cargo", &[&["test"], &client[..]].concat())?;
    let package = [
        "package",
        "-p",
        "vega-client",
        "--locked",
        "--allow-dirty",
        "--no-verify",
    ];
    run(&root(), "cargo", &package)
}

fn python() -> Result<()> {
    let python = target().join("python/bin/python").display().to_string();
    let folder = root().join("clients/python");
    let binaries = binaries();
    run_with(
        &folder,
        &python,
        &["-m", "unittest", "discover", "-s", "tests", "-t", "."],
        &[("VEGA_BIN_DIR", binaries.as_os_str())],
    )
}

fn node() -> Result<()> {
    install::node_packages("clients/node")?;
    let folder = root().join("clients/node");
    run(&folder, "npm", &["run", "--silent", "lint"])?;
    run(&folder, "npm", &["run", "--silent", "typecheck"])?;
    let binaries = binaries();
    run_with(
        &folder,
        "npm",
        &["test", "--silent"],
        &[("VEGA_BIN_DIR", binaries.as_os_str())],
    )
}
