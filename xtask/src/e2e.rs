//! `cargo xtask e2e`: only the whole-system stories.

use anyhow::Result;

use crate::install;
use crate::test::{build_programs, rust_tests};

pub(crate) fn run() -> Result<()> {
    install::browser()?;
    build_programs()?;
    rust_tests(&["-p", "vega-tests"])
}
