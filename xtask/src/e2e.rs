//! `cargo xtask e2e`: only the whole-system stories, those of the console first.

use anyhow::Result;

use crate::builds::{build_harnesses, build_programs};
use crate::console;
use crate::install;
use crate::open_hours;
use crate::test::{STORIES, rust_tests};

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
    open_hours::wait_for(console::STORIES + STORIES);
    console::stories()?;
    rust_tests(&["-p", "vega-tests"])
}
