//! `cargo xtask bench`: how fast the release build is where Vega promises something: a hot read, another process's change
//! until it is served, a start until the first token is handed out with 50 APIs and no network, loading the newest tokens of many
//! generations, and token reads over HTTP. Fails when a promise is not kept on this machine. No test asserts such figures.

mod home;
mod http;

use anyhow::{Result, ensure};

use self::home::Home;
use crate::install;
use crate::shell::{self, root, say};

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
/// Beside the one before, in the same run.
const FLOOR_OF_A_HOT_READ: Promise = Promise {
    what: "its floor, a bare load of what may be swapped",
    unit: "ns",
    at_most: f64::INFINITY,
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

const STATUS: Promise = Promise {
    what: "`vega status`, the same",
    unit: "ms",
    at_most: 2_000.0,
};
const ONE_ROW: Promise = Promise {
    what: "their floor, `sqlite3` reading one row",
    unit: "ms",
    at_most: f64::INFINITY,
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
    install::harness_tools()?;
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
    FLOOR_OF_A_HOT_READ.judge(home.figures("measure", "bare-load")?)?;
    CHANGE.judge(home.figures("measure", "changes")?)?;
    NEWEST_TOKENS.judge(home.figures("newest_tokens", "loads")?)?;
    START.judge(home.starts(&["token", "API1"])?)?;
    STATUS.judge(home.starts(&["status"])?)?;
    ONE_ROW.judge(home.one_row()?)?;
    HTTP_READ.judge(http::token_reads(&home)?)
}

impl Promise {
    fn judge(&self, mut figures: Vec<f64>) -> Result<()> {
        ensure!(!figures.is_empty(), "{} was not measured", self.what);
        figures.sort_by(f64::total_cmp);
        let at = |percent: usize| figures[(figures.len() * percent / 100).min(figures.len() - 1)];
        let (median, p99, unit) = (at(50), at(99), self.unit);
        let promised = if self.at_most.is_finite() {
            format!("; promised: {} {unit}", self.at_most)
        } else {
            String::new()
        };
        say(&format!(
            "{}: median {median:.1} {unit}, p99 {p99:.1} {unit}, of {}{promised}",
            self.what,
            figures.len(),
        ));
        ensure!(
            p99 <= self.at_most,
            "{} takes longer than promised on this machine",
            self.what
        );
        Ok(())
    }
}
