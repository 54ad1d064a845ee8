//! Where the programs under test are: the plain ones as users have them, and those with test hooks.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// Names the folder of all programs, if they are not where cargo builds them.
const FOLDER: &str = "VEGA_BIN_DIR";

/// Which build of the programs a story runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binaries {
    /// As users have them; every story that can, uses these.
    Plain,
    /// The time and the death of a program are the story's.
    WithTestHooks,
}

impl Binaries {
    /// One program, from the folder of all of them.
    pub(crate) fn program(self, name: &str) -> Result<PathBuf> {
        let path = programs()?.join(match self {
            Self::Plain => name.to_owned(),
            Self::WithTestHooks => format!("{name}-hooked"),
        });
        ensure!(
            path.is_file(),
            "{} is missing. Run `cargo xtask e2e`, which builds it, or build it yourself (`cargo build --bins`) and set \
             {FOLDER} to its folder",
            path.display(),
        );
        Ok(path)
    }
}

/// The folder of all programs: the one that the variable names, else where `cargo xtask e2e` builds them.
#[expect(
    clippy::disallowed_methods,
    reason = "the stories' own settings have their home here"
)]
pub fn programs() -> Result<PathBuf> {
    match std::env::var_os(FOLDER) {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Ok(target_folder()?.join("debug")),
    }
}

/// Python with the packages that stories need, where `cargo xtask e2e` puts it.
pub fn python() -> Result<PathBuf> {
    let python = target_folder()?.join("python/bin/python");
    ensure!(
        python.is_file(),
        "{} is missing. Run `cargo xtask e2e`, which makes it",
        python.display()
    );
    Ok(python)
}

/// Cargo's target folder; a test runs from `debug/deps` in it, a program from `debug`.
fn target_folder() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let mut folders = this.ancestors().skip_while(|folder| !folder.ends_with("debug"));
    Ok(folders.nth(1).context("a target folder")?.to_owned())
}
