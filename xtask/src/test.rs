//! `cargo xtask test`: everything CI runs. The Rust tests, stories included, come last, so that their summary ends it.

use anyhow::Result;

use crate::install;
use crate::shell::{self, root, run_with, works};
use crate::tidy;

pub(crate) fn run() -> Result<()> {
    install::browser()?;
    install::console_packages()?;
    let root = root();
    shell::run(&root, "cargo", &["fmt", "--all", "--check"])?;
    tidy::run()?;
    dependencies()?;
    shell::run(
        &root,
        "cargo",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    console()?;
    build_programs()?;
    rust_tests(&["--workspace"])
}

/// The programs that stories and the demo run, built as a user builds them.
pub(crate) fn build_programs() -> Result<()> {
    let programs = ["-p", "vega-cli", "-p", "vega-server", "-p", "upstox-simulator"];
    shell::run(
        &root(),
        "cargo",
        &[&["build", "--locked", "--bins"], programs.as_slice()].concat(),
    )
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

fn console() -> Result<()> {
    let console = root().join("apps/vega-web");
    for script in ["typecheck", "lint", "test", "build"] {
        shell::run(&console, "npm", &["run", "--silent", script])?;
    }
    Ok(())
}
