//! `cargo xtask e2e`: only the whole-system stories, those of the console first.

use anyhow::Result;

use crate::builds::{build_harnesses, build_programs};
use crate::console;
use crate::install;
use crate::test::rust_tests;

pub(crate) fn run() -> Result<()> {
    install::browser()?;
    install::console_packages()?;
    install::harness_tools()?;
    install::postgres()?;
    install::proxies()?;
    install::story_packages()?;
    console::build()?;
    build_programs()?;
    build_harnesses()?;
    console::stories()?;
    rust_tests(&["-p", "vega-tests"])
}
