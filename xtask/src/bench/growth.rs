//! How `vega status`, the start of the server and its memory grow with the number of APIs: 6, 60, 600 and 6,000, sixty of
//! an account, each with a stored token. Beside `sqlite3` reading as many rows, and beside the server of six.

use anyhow::Result;

use crate::bench::programs::in_turns;
use crate::bench::row::Measured;
use crate::bench::server::Server;
use crate::bench::world::{World, filled};
use crate::shell::step;

const SIZES: [usize; 4] = [6, 60, 600, 6_000];
const ROUNDS: usize = 11;
const STARTS: usize = 5;
/// What a status is made of.
const ALL_ROWS: &str = "SELECT api, account, client_id, user_id, generation, sealed_access_token, issued_at, valid_until, \
                        verified_at, rejected_at FROM upstox_tokens";

/// Of each size: `vega status`, the server until it is ready, its memory.
pub(crate) fn six_to_six_thousand(_: &World) -> Result<Vec<Measured>> {
    let mut measured: Vec<Measured> = Vec::new();
    for apis in SIZES {
        let home = filled(&format!("growth-{apis}"), apis)?;
        step(&format!("{apis} APIs"));
        let took = in_turns(ROUNDS, &mut [home.sqlite3(ALL_ROWS), home.vega(&["status"])])?;
        let seconds = |took: &[f64]| took.iter().map(|took| took / 1e3).collect::<Vec<_>>();
        measured.push(Measured::beside(seconds(&took[1]), &seconds(&took[0])));
        let (mut ready, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let server = Server::start(&home)?;
            ready.push(server.ready_after);
            memory.push(server.memory()?);
        }
        // The server of six APIs is the floor of the larger ones, and its own.
        for (place, figures) in [(1, ready), (2, memory)] {
            let of_six = measured.get(place).map_or(&figures, |six| &six.figures).clone();
            measured.push(Measured::beside(figures, &of_six));
        }
    }
    Ok(measured)
}
