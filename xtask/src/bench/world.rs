//! What the measurements share: homes with stored tokens, each made when it is first needed, and a simulated Upstox where
//! tokens have to be good. Measures nothing.

use std::cell::OnceCell;
use std::path::Path;

use anyhow::{Context, Result};

use crate::bench::home::{Home, Settings, example, python, release};
use crate::bench::programs::said;
use crate::demo_desk::Upstox;
use crate::shell::step;

/// Nobody answers there.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9";

/// Made once in a run of the bench.
#[derive(Default)]
pub(crate) struct World {
    six: OnceCell<SignedIn>,
    fifty: OnceCell<Home>,
}

/// Six APIs that are signed in for at a simulated Upstox.
pub(crate) struct SignedIn {
    pub(crate) upstox: Upstox,
    pub(crate) home: Home,
    pub(crate) tokens: Vec<String>,
}

impl World {
    /// Six APIs with good tokens.
    pub(crate) fn six(&self) -> Result<&SignedIn> {
        made_once(&self.six, SignedIn::make)
    }

    /// Fifty APIs with stored tokens, and no network.
    pub(crate) fn fifty(&self) -> Result<&Home> {
        made_once(&self.fifty, || filled("fifty", 50))
    }
}

/// A home of so many APIs, each with a stored token, and no network.
pub(crate) fn filled(name: &str, apis: usize) -> Result<Home> {
    let home = Home::new(name, Settings::made_up(apis), NOWHERE)?;
    step(&format!("storing {apis} tokens"));
    home.figures("measure", &["fill"])?;
    Ok(home)
}

/// The same with this database.
pub(crate) fn filled_over(name: &str, apis: usize, database: &str) -> Result<Home> {
    let mut home = Home::new(name, Settings::made_up(apis), NOWHERE)?;
    home.use_database(database);
    step(&format!("storing {apis} tokens"));
    home.figures("measure", &["fill"])?;
    Ok(home)
}

/// A simulated Upstox whose human needs no time.
pub(crate) fn upstox_with_an_instant_human() -> Result<Upstox> {
    let upstox = Upstox::start(&release(""), Some(0))?;
    // A bench signs in more often than a morning does.
    upstox.put("otp_limit", &serde_json::json!({ "limit": u32::MAX }))?;
    Ok(upstox)
}

impl SignedIn {
    fn make() -> Result<Self> {
        let upstox = upstox_with_an_instant_human()?;
        let home = Home::new("six", Settings::of(&upstox)?, &upstox.base_url)?;
        step("signing in six APIs");
        said(&mut home.vega(&["--yes"]))?;
        let names = home.apis();
        let tokens = names.map(|name| Ok(said(&mut home.vega(&["token", name]))?.trim().to_owned()));
        let tokens = tokens.collect::<Result<Vec<_>>>()?;
        Ok(Self { upstox, home, tokens })
    }

    /// The floor of a verification: these tokens, asked for at once.
    pub(crate) fn six_connections(&self) -> std::process::Command {
        self.with_tokens(&example("six_connections"), &[])
    }

    /// Its peer: the SDK.
    pub(crate) fn sdk_threads(&self) -> std::process::Command {
        let script = crate::shell::root().join("benches/sdk_threads.py");
        self.with_tokens(&python(), &[&script])
    }

    fn with_tokens(&self, program: &Path, before: &[&Path]) -> std::process::Command {
        let mut command = self.home.program(program);
        command.args(before).arg(&self.upstox.base_url).args(&self.tokens);
        command
    }
}

/// `OnceCell::get_or_try_init` is not stable.
fn made_once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if cell.get().is_none() {
        let _ = cell.set(make()?);
    }
    cell.get().context("it was made just now")
}
