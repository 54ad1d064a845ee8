//! What `vega-server` costs while nobody is connected and nothing happens, beside a program that only listens. It is looked
//! at some seconds after its start: the watch of the database rests when nothing was written for a while.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use crate::bench::row::Measured;
use crate::bench::server::{Effort, Server};
use crate::bench::world::World;
use crate::shell::step;

const QUIET: Duration = Duration::from_secs(15);
/// Looked at so often, for so long.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_secs(4);

/// Its share of a core, and its context switches.
pub(crate) fn six_apis(world: &World) -> Result<Vec<Measured>> {
    let vega = Server::start(&world.six()?.home)?;
    let empty = Server::empty_handler()?;
    step(&format!(
        "an idle server, for {} s",
        (QUIET + LOOK * LOOKS).as_secs()
    ));
    sleep(QUIET);
    let both = || Ok::<_, anyhow::Error>([vega.effort()?, empty.effort()?]);
    let mut measured = vec![Measured::default(), Measured::default()];
    let mut before = both()?;
    for _ in 0..LOOKS {
        sleep(LOOK);
        let after = both()?;
        let [vega, empty] = [0, 1].map(|at| per_second(before[at], after[at]));
        for (measured, look) in measured.iter_mut().zip([
            (100.0 * vega.busy, 100.0 * empty.busy),
            (vega.switches, empty.switches),
        ]) {
            measured.figures.push(look.0);
            measured.floor.push(look.1);
        }
        before = after;
    }
    Ok(measured)
}

fn per_second(before: Effort, after: Effort) -> Effort {
    Effort {
        busy: (after.busy - before.busy) / LOOK.as_secs_f64(),
        switches: (after.switches - before.switches) / LOOK.as_secs_f64(),
    }
}
