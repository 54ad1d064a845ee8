//! `cargo xtask test`: everything CI runs. The Rust tests, stories included, come last, so that their summary ends it.

use std::time::Duration;

use anyhow::Result;

use crate::builds::{build_harnesses, build_programs};
use crate::chaos;
use crate::console;
use crate::contract;
use crate::crash_images;
use crate::faults;
use crate::generate;
use crate::install;
use crate::open_hours;
use crate::shell::{self, root, run_with, works};
use crate::tidy;

/// The Rust tests with the stories take less, also on a slow machine.
pub(crate) const STORIES: Duration = Duration::from_mins(25);

/// The samples of the harnesses take less, also on a slow machine.
const HARNESSES: Duration = Duration::from_mins(6);

pub(crate) fn run(xtask: &clap::Command) -> Result<()> {
    install::browser()?;
    install::console_packages()?;
    install::harness_tools()?;
    install::story_packages()?;
    let root = root();
    shell::run(&root, "cargo", &["fmt", "--all", "--check"])?;
    tidy::run(xtask)?;
    dependencies()?;
    clippy(&["--workspace"])?;
    clippy(&["-p", "vega-persistence", "--features", "injected-defects"])?;
    generate::check()?;
    console::check()?;
    build_programs()?;
    build_harnesses()?;
    crash_images::run_briefly()?;
    open_hours::wait_for(contract::LENGTH + console::STORIES + STORIES + HARNESSES);
    contract::contract()?;
    chaos::sample()?;
    faults::sample()?;
    console::stories()?;
    rust_tests(&["--workspace"])
}

/// Runs Rust tests with nextest, or with cargo where nextest is not installed.
pub(crate) fn rust_tests(which: &[&str]) -> Result<()> {
    let runner: &[&str] = if works("cargo-nextest", "--version") {
        &["nextest", "run", "--locked"]
    } else {
        &["test", "--locked"]
    };
    // A snapshot that differs is a failure, never a file to be reviewed later.
    run_with(
        &root(),
        "cargo",
        &[runner, which].concat(),
        &[("INSTA_UPDATE", "no".as_ref())],
    )
}

fn clippy(which: &[&str]) -> Result<()> {
    let all = ["--all-targets", "--locked", "--", "-D", "warnings"];
    shell::run(&root(), "cargo", &[&["clippy"], which, &all].concat())
}

/// What `deny.toml` asks of dependencies, licences included, where cargo-deny is installed.
fn dependencies() -> Result<()> {
    if !works("cargo-deny", "--version") {
        return Ok(());
    }
    // cargo-deny looks at every platform; a build fetches only this one's packages.
    shell::run(&root(), "cargo", &["fetch", "--locked"])?;
    shell::run(
        &root(),
        "cargo",
        &["deny", "--offline", "check", "bans", "licenses", "sources"],
    )
}
