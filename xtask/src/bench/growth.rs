//! How `vega status`, the start of the server and its memory grow with the number of APIs, sixty of an account, each with a
//! stored token. Beside `sqlite3` reading as many rows, and beside the server of six APIs.

use anyhow::Result;

use crate::bench::home::Home;
use crate::bench::programs::in_turns;
use crate::bench::row::Measured;
use crate::bench::server::Server;
use crate::bench::world::{World, filled};
use crate::shell::step;

const ROUNDS: usize = 11;
const STARTS: usize = 5;
/// What a status is made of.
const ALL_ROWS: &str = "SELECT api, account, client_id, user_id, generation, sealed_access_token, issued_at, valid_until, \
                        verified_at, rejected_at FROM upstox_tokens";

/// Of so many APIs: `vega status`, the server until it is ready, its memory.
pub(crate) fn of<const APIS: usize>(_: &World) -> Result<Vec<Measured>> {
    let (six, many) = (filled("growth-6", 6)?, filled(&format!("growth-{APIS}"), APIS)?);
    step(&format!("status, start and memory of {APIS} APIs"));
    let took = in_turns(ROUNDS, &mut [many.sqlite3(ALL_ROWS), many.vega(&["status"])])?;
    let status = Measured::beside(took[1].clone(), &took[0]);
    let (mut ready, mut memory) = (Measured::default(), Measured::default());
    for _ in 0..STARTS {
        let (after, takes) = started(&many)?;
        let (after_of_six, takes_of_six) = started(&six)?;
        ready.figures.push(after);
        ready.floor.push(after_of_six);
        memory.figures.push(takes);
        memory.floor.push(takes_of_six);
    }
    Ok(vec![status, ready, memory])
}

/// How long it takes to be ready, and its memory then.
fn started(home: &Home) -> Result<(f64, f64)> {
    let server = Server::start(home)?;
    let found = (server.ready_after, server.memory()?);
    server.stop()?;
    Ok(found)
}
