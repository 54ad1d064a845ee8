//! A first morning: six sign-ins with a human who needs no time, in a browser that nobody sees, beside the barest WebDriver
//! script that makes the same six logins, exchanges and profile calls at the same simulator.

use anyhow::Result;

use crate::bench::home::{Home, Settings, example};
use crate::bench::programs::milliseconds;
use crate::bench::row::Measured;
use crate::bench::world::{World, upstox_with_an_instant_human};
use crate::shell::step;

const ROUNDS: usize = 5;

/// `vega --yes` without a token.
pub(crate) fn six_sign_ins(_: &World) -> Result<Vec<Measured>> {
    // Its own, because tokens of others would die of it.
    let upstox = upstox_with_an_instant_human()?;
    let (mut vega, mut script) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        step(&format!("six sign-ins, round {round} of {ROUNDS}"));
        let home = Home::new("first-morning", Settings::of(&upstox)?, &upstox.base_url)?;
        upstox.post("accounts/default/log_out_sessions")?;
        vega.push(milliseconds(&mut home.vega(&["--yes"]))? / 1e3);
        upstox.post("accounts/default/log_out_sessions")?;
        let mut bare = home.program(&example("bare_webdriver"));
        script.push(milliseconds(bare.arg(&upstox.base_url))? / 1e3);
    }
    Ok(vec![Measured::beside(vega, &script)])
}
