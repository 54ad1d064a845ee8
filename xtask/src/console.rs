//! The console's own checks, and its stories in a real browser: what npm knows of them is in `apps/vega-web`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::open_hours;
use crate::shell::{self, root};

/// The stories take less, also on a slow machine.
const STORIES: Duration = Duration::from_mins(8);

/// Everything but the stories, and at the end the built console with its weight.
pub(crate) fn check() -> Result<()> {
    check_generated()?;
    for script in ["typecheck", "lint", "test"] {
        npm(script)?;
    }
    build()?;
    npm("check:size")
}

/// Writes what the console has from the OpenAPI file.
pub(crate) fn generate() -> Result<()> {
    npm("generate")
}

/// Fails when what the console has from the OpenAPI file is not what that file says.
pub(crate) fn check_generated() -> Result<()> {
    npm("check:generated")
}

/// Builds the console where the server looks for it.
pub(crate) fn build() -> Result<()> {
    npm("build")
}

/// The stories in the system's browser. They need the built console, the programs, also with test hooks, and the harnesses.
pub(crate) fn stories() -> Result<()> {
    open_hours::wait_for(STORIES);
    npm("stories")
}

fn npm(script: &str) -> Result<()> {
    shell::run(&folder(), "npm", &["run", "--silent", script])
}

fn folder() -> PathBuf {
    root().join("apps/vega-web")
}
