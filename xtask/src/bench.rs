//! `cargo xtask bench`: how fast the release build is where Vega promises something: a hot read, another process's change
//! until it is served, a start until the first token is handed out with 50 APIs and no network, loading the newest tokens of many
//! generations, and token reads over HTTP. Fails when a promise
//! is not kept on this machine. No test asserts such figures.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::bench_http;
use crate::shell::{self, root, say, step, target};

const APIS: usize = 50;
const STARTS: usize = 20;

struct Promise {
    what: &'static str,
    unit: &'static str,
    /// At most this for ninety-nine of a hundred.
    at_most: f64,
}

const HOT_READ: Promise = Promise {
    what: "a hot read",
    unit: "ns",
    at_most: 10_000.0,
};
const CHANGE: Promise = Promise {
    what: "another process's commit until it is served",
    unit: "ms",
    at_most: 100.0,
};
const START: Promise = Promise {
    what: "`vega token`, from the start to its end, with 50 APIs and no network",
    unit: "ms",
    at_most: 2_000.0,
};

/// It happens in every process after every commit.
const NEWEST_TOKENS: Promise = Promise {
    what: "loading the newest tokens of 50 APIs with 1,000 generations each",
    unit: "ms",
    at_most: 3.0,
};

const HTTP_READ: Promise = Promise {
    what: "a token read over HTTP at 200 per second",
    unit: "µs",
    at_most: 1_000.0,
};

pub(crate) fn run() -> Result<()> {
    let release = ["build", "--locked", "--release"];
    shell::run(
        &root(),
        "cargo",
        &[&release[..], &["-p", "vega-cli", "-p", "vega-server", "--bins"]].concat(),
    )?;
    let load = ["-p", "vega-server", "--example", "load"];
    shell::run(&root(), "cargo", &[&release[..], &load].concat())?;
    let example = ["-p", "vega-bootstrap", "--example", "measure"];
    shell::run(&root(), "cargo", &[&release[..], &example].concat())?;
    let newest = ["-p", "vega-persistence", "--example", "newest_tokens"];
    shell::run(&root(), "cargo", &[&release[..], &newest].concat())?;

    let home = Home::new()?;
    home.figures("measure", "fill")?;
    HOT_READ.judge(home.figures("measure", "hot-read")?)?;
    CHANGE.judge(home.figures("measure", "changes")?)?;
    NEWEST_TOKENS.judge(home.figures("newest_tokens", "loads")?)?;
    START.judge(home.starts()?)?;
    HTTP_READ.judge(bench_http::token_reads(&home)?)
}

impl Promise {
    fn judge(&self, mut figures: Vec<f64>) -> Result<()> {
        ensure!(!figures.is_empty(), "{} was not measured", self.what);
        figures.sort_by(f64::total_cmp);
        let at = |percent: usize| figures[(figures.len() * percent / 100).min(figures.len() - 1)];
        let (median, p99, unit) = (at(50), at(99), self.unit);
        say(&format!(
            "{}: median {median:.1} {unit}, p99 {p99:.1} {unit}, of {}; promised: {} {unit}",
            self.what,
            figures.len(),
            self.at_most
        ));
        ensure!(
            p99 <= self.at_most,
            "{} takes longer than promised on this machine",
            self.what
        );
        Ok(())
    }
}

/// A fresh home with the settings of fifty APIs, and an Upstox that nobody can reach.
pub(crate) struct Home(PathBuf);

impl Home {
    fn new() -> Result<Self> {
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
    fn figures(&self, example: &str, what: &str) -> Result<Vec<f64>> {
        step(&format!("{example}: {what}"));
        let program = target().join("release/examples").join(example);
        let text = output(self.program(&program).arg(what))?;
        let figures = text.lines().map(|line| line.parse().context("a figure"));
        figures.collect()
    }

    /// Milliseconds of each start.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a start takes is what is asked"
    )]
    fn starts(&self) -> Result<Vec<f64>> {
        let vega = target().join("release/vega");
        step(&format!("vega token, {STARTS} times"));
        let mut took = Vec::new();
        for number in 0..STARTS {
            // The first one's token was rejected while changes were measured.
            let api = format!("API{}", 1 + number % (APIS - 1));
            let began = Instant::now();
            let text = output(self.program(&vega).args(["token", &api]))?;
            took.push(began.elapsed().as_secs_f64() * 1e3);
            ensure!(text.starts_with("CANARY-token-"), "vega token {api} said {text}");
        }
        Ok(took)
    }
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
