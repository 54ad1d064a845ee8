//! `cargo xtask e2e`: only the whole-system stories.

use anyhow::Result;

use crate::install;
use crate::test::{build_programs, build_programs_with_test_hooks, rust_tests};

pub(crate) fn run() -> Result<()> {
    install::browser()?;
    build_programs()?;
    build_programs_with_test_hooks()?;
    rust_tests(&["-p", "vega-tests"])
}
