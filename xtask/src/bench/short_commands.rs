//! Commands that only look at what is stored, each from its start to its end, beside `sqlite3` reading one row of the same
//! database.

use anyhow::Result;

use crate::bench::home::{Home, python};
use crate::bench::programs::in_turns;
use crate::bench::row::Measured;
use crate::bench::world::World;
use crate::shell::step;

const ROUNDS: usize = 100;
const IMPORTS: usize = 10;
const ONE_ROW: &str = "SELECT api, generation FROM upstox_tokens LIMIT 1";

/// `vega token`, `vega status`, `vega --version`, and Python importing the SDK.
pub(crate) fn six_apis(world: &World) -> Result<Vec<Measured>> {
    let home = &world.six()?.home;
    let mut measured = looks(home, &[&["token", "PRIMARY"], &["status"], &["--version"]])?;
    let floor = measured[0].floor.clone();
    let mut import = home.program(&python());
    import.args(["-c", "import upstox_client"]);
    let took = in_turns(IMPORTS, &mut [import])?;
    measured.extend(took.into_iter().map(|took| Measured::beside(took, &floor)));
    Ok(measured)
}

/// `vega token` and `vega status`.
pub(crate) fn fifty_apis(world: &World) -> Result<Vec<Measured>> {
    looks(world.fifty()?, &[&["token", "API1"], &["status"]])
}

fn looks(home: &Home, commands: &[&[&str]]) -> Result<Vec<Measured>> {
    step(&format!(
        "{} commands, {ROUNDS} times in turns",
        commands.len() + 1
    ));
    let mut programs = vec![home.sqlite3(ONE_ROW)];
    programs.extend(commands.iter().map(|arguments| home.vega(arguments)));
    let took = in_turns(ROUNDS, &mut programs)?;
    let (floor, looks) = (&took[0], &took[1..]);
    Ok(looks
        .iter()
        .map(|took| Measured::beside(took.clone(), floor))
        .collect())
}
