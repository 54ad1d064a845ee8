//! A morning on which all six tokens are good, at an Upstox that needs 50 ms for a profile, beside six bare connections at
//! once. Nobody signs in.

use anyhow::Result;
use serde_json::json;

use crate::bench::programs::in_turns;
use crate::bench::row::Measured;
use crate::bench::world::World;
use crate::shell::step;

const ROUNDS: usize = 30;
const ROUNDS_OF_THE_PEER: usize = 10;
const PROFILE_MS: u32 = 50;

/// `vega verify`, plain `vega`, and the SDK in six threads.
pub(crate) fn six_tokens(world: &World) -> Result<Vec<Measured>> {
    let six = world.six()?;
    let delay = json!({ "scope": "all", "on": "profile", "kind": "delay", "params": { "ms": PROFILE_MS } });
    six.upstox.post_with("scenarios", &delay)?;
    step(&format!(
        "verifying six tokens, {ROUNDS} times in turns with the floor"
    ));
    let (verify, plain) = (six.home.vega(&["verify"]), six.home.vega(&["--yes"]));
    let took = in_turns(ROUNDS, &mut [six.six_connections(), verify, plain])?;
    let peer = in_turns(ROUNDS_OF_THE_PEER, &mut [six.sdk_threads()])?;
    six.upstox.delete("scenarios")?;
    let floor = &took[0];
    Ok([&took[1..], &peer]
        .concat()
        .into_iter()
        .map(|took| Measured::beside(took, floor))
        .collect())
}
