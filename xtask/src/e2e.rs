//! `cargo xtask e2e`: only the whole-system stories.

use anyhow::Result;

use crate::install;
use crate::open_hours;
use crate::test::{STORIES, build_programs, build_programs_with_test_hooks, rust_tests};

pub(crate) fn run() -> Result<()> {
    install::browser()?;
    install::harness_tools()?;
    install::story_packages()?;
    build_programs()?;
    build_programs_with_test_hooks()?;
    open_hours::wait_for(STORIES);
    rust_tests(&["-p", "vega-tests"])
}
