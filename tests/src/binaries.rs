//! Where the programs under test are: the plain ones as users have them, and those built with the feature `test-hooks`
//! in a target folder of their own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Which build of the programs a story runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binaries {
    /// As users have them; every story that can, uses these.
    Plain,
    /// The time and the death of a program are the story's.
    WithTestHooks,
}

impl Binaries {
    /// One program: in the folder that the variable names, else where `cargo xtask e2e` builds it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the stories' own settings have their home here"
    )]
    pub(crate) fn program(self, name: &str) -> Result<PathBuf> {
        let folder = match std::env::var_os(self.variable()) {
            Some(folder) => PathBuf::from(folder),
            None => self.built_in(&target_folder()?),
        };
        let path = folder.join(name);
        ensure!(
            path.is_file(),
            "{} is missing. Run `cargo xtask e2e`, which builds it, or build it yourself ({}) and set {} to its folder",
            path.display(),
            self.how_to_build(),
            self.variable(),
        );
        Ok(path)
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Plain => "VEGA_BIN_DIR",
            Self::WithTestHooks => "VEGA_TEST_HOOKS_BIN_DIR",
        }
    }

    fn built_in(self, target: &Path) -> PathBuf {
        match self {
            Self::Plain => target.join("debug"),
            Self::WithTestHooks => target.join("test-hooks/debug"),
        }
    }

    fn how_to_build(self) -> &'static str {
        match self {
            Self::Plain => "cargo build --bins",
            Self::WithTestHooks => {
                "cargo build -p vega-cli -p vega-server --features test-hooks --target-dir target/test-hooks"
            }
        }
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
