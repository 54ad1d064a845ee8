//! The home of a benchmark: fifty APIs, and an Upstox that nobody can reach. Runs programs of the release build there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::shell::{step, target};

const APIS: usize = 50;
const STARTS: usize = 50;

/// A fresh home with the settings of fifty APIs, and an Upstox that nobody can reach.
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn new() -> Result<Self> {
        let home = target().join("bench");
        if home.exists() {
            std::fs::remove_dir_all(&home)?;
        }
        std::fs::create_dir_all(&home)?;
        Ok(Self(home))
    }

    /// What a program of the release says.
    pub(crate) fn output(&self, program: &str, arguments: &[&str]) -> Result<String> {
        output(
            self.program(&target().join("release").join(program))
                .args(arguments),
        )
    }

    pub(crate) fn program(&self, path: &Path) -> Command {
        let mut command = Command::new(path);
        command
            .env_clear()
            .env("HOME", &self.0)
            .env(
                "VEGA__DATABASE__URL",
                format!("sqlite://{}/vega_trade.db", self.0.display()),
            )
            .env("VEGA__KEY_FILE", self.0.join("vega.key"))
            .env("VEGA__UPSTOX__API_BASE_URL", "http://127.0.0.1:9")
            .env("UPSTOX_MOBILE_NUMBER", "9000000001")
            .current_dir(&self.0);
        for number in 0..APIS {
            command
                .env(format!("UPSTOX_CLIENT_ID_{number}"), format!("key-{number}"))
                .env(
                    format!("UPSTOX_CLIENT_SECRET_{number}"),
                    format!("secret-{number}"),
                )
                .env(format!("UPSTOX_API_NAME_{number}"), format!("API{number}"));
        }
        command
    }

    /// What an example of the release measures.
    pub(crate) fn figures(&self, example: &str, what: &str) -> Result<Vec<f64>> {
        step(&format!("{example}: {what}"));
        let program = target().join("release/examples").join(example);
        let text = output(self.program(&program).arg(what))?;
        let figures = text.lines().map(|line| line.parse().context("a figure"));
        figures.collect()
    }

    /// Milliseconds of each start of `vega` with these arguments.
    pub(crate) fn starts(&self, arguments: &[&str]) -> Result<Vec<f64>> {
        step(&format!("vega {}, {STARTS} times", arguments.join(" ")));
        let mut vega = self.program(&target().join("release/vega"));
        took(vega.args(arguments))
    }

    /// Milliseconds of each start of `sqlite3` that reads one row of the same database.
    pub(crate) fn one_row(&self) -> Result<Vec<f64>> {
        step(&format!("sqlite3, {STARTS} times"));
        let query = "SELECT api, generation FROM upstox_tokens LIMIT 1";
        took(
            Command::new("sqlite3")
                .arg(self.0.join("vega_trade.db"))
                .arg(query),
        )
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a start takes is what is asked"
)]
fn took(command: &mut Command) -> Result<Vec<f64>> {
    let mut took = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        // A token that was rejected while changes were measured makes no success of `vega status`.
        let said = command.output()?.stdout;
        took.push(began.elapsed().as_secs_f64() * 1e3);
        ensure!(
            !said.is_empty(),
            "{} said nothing",
            command.get_program().display()
        );
    }
    Ok(took)
}

fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("{} cannot be started", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{} failed: {}",
        command.get_program().display(),
        output.status
    );
    Ok(String::from_utf8(output.stdout)?)
}
