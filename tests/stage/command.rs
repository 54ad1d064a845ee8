//! What a story asks of its stage: one line each, answered with one line of JSON.

use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};

/// One request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// A new one-time link to the console.
    Link,
    /// Ask the server to end, and wait until it has.
    Stop,
    /// End the server without giving it a chance to clear up.
    Kill,
    /// Start the server again, at the address that it had.
    Start,
    /// Move the clocks of Vega and of Upstox on by so many seconds from the true time; needs test hooks.
    Later(i64),
    /// Run `vega` with these arguments.
    Vega(Vec<String>),
}

impl FromStr for Command {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self> {
        let mut words = line.split_whitespace();
        let command = words.next().context("an empty command")?;
        Ok(match command {
            "link" => Self::Link,
            "stop" => Self::Stop,
            "kill" => Self::Kill,
            "start" => Self::Start,
            "later" => Self::Later(words.next().context("how many seconds?")?.parse()?),
            "vega" => Self::Vega(words.map(str::to_owned).collect()),
            other => bail!("nobody here knows what {other} means"),
        })
    }
}
