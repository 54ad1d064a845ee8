//! `cargo xtask test`: everything CI runs. The Rust tests come last, so that their summary ends it; the stories are among
//! them, and the tests that compare what is generated from the code.

use std::fmt::{self, Display, Formatter};
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::builds::{build_harnesses, build_programs};
use crate::chaos;
use crate::clients;
use crate::console;
use crate::contract;
use crate::crash_images;
use crate::faults;
use crate::install;
use crate::machines;
use crate::shell::{self, root, run_with, say, works};
use crate::tidy;

pub(crate) fn run(xtask: &clap::Command) -> Result<()> {
    install::browser()?;
    install::console_packages()?;
    install::harness_tools()?;
    install::postgres()?;
    install::proxies()?;
    install::story_packages()?;
    let root = root();
    let mut stages = Stages::default();
    stages.run("format and tidy", || {
        shell::run(&root, "cargo", &["fmt", "--all", "--check"])?;
        tidy::run(xtask)
    })?;
    stages.run("console", console::check)?;
    stages.run("dependencies and clippy", || {
        dependencies()?;
        clippy(&["--workspace"])?;
        clippy(&["-p", "vega-persistence", "--features", "injected-defects"])?;
        clippy(&["-p", "vega-hooked", "--features", "injected-defects"])
    })?;
    stages.run("programs", || {
        build_programs()?;
        build_harnesses()
    })?;
    stages.run("crash images", crash_images::run_briefly)?;
    // Each mostly waits, for a browser or a disk, and has desks of its own.
    stages.beside(
        |stages| {
            stages.run("console stories", console::stories)?;
            stages.run("clients", clients::clients)
        },
        |stages| {
            stages.run("contract", contract::contract)?;
            stages.run("chaos", chaos::sample)?;
            stages.run("faults", faults::sample)?;
            stages.run("machines", machines::sample)
        },
    )?;
    say(&stages.to_string());
    rust_tests(&["--workspace"])
}

/// How long each stage took. The Rust tests tell by themselves.
#[derive(Default)]
struct Stages(Vec<(&'static str, Duration)>);

impl Stages {
    #[expect(clippy::disallowed_methods, reason = "it is told, and decides nothing")]
    fn run(&mut self, name: &'static str, stage: impl FnOnce() -> Result<()>) -> Result<()> {
        let began = Instant::now();
        stage()?;
        self.0.push((name, began.elapsed()));
        Ok(())
    }

    /// Two rows of stages at once. Both come to their end, also where one fails.
    fn beside(
        &mut self,
        first: impl FnOnce(&mut Self) -> Result<()> + Send,
        second: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let (mut ours, mut theirs) = (Self::default(), Self::default());
        let (first, second) = thread::scope(|scope| {
            let first = scope.spawn(|| first(&mut theirs));
            let second = second(&mut ours);
            let first = first.join().unwrap_or_else(|panic| resume_unwind(panic));
            (first, second)
        });
        self.0.append(&mut theirs.0);
        self.0.append(&mut ours.0);
        match (first, second) {
            (Err(first), Err(second)) => Err(first.context(format!("{second:#}"))),
            (first, second) => first.and(second),
        }
    }
}

impl Display for Stages {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (name, took) in &self.0 {
            writeln!(f, "{:>5} s  {name}", took.as_secs())?;
        }
        Ok(())
    }
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
