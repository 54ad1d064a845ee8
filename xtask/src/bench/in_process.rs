//! What programs that link Vega's crates feel: a hot read, another process's change, and the load of the newest tokens
//! that follows it. The examples measure; here they are only run.

use anyhow::Result;

use crate::bench::row::Measured;
use crate::bench::world::World;
use crate::shell::step;

/// Beside a bare load of what may be swapped.
pub(crate) fn hot_read(world: &World) -> Result<Vec<Measured>> {
    let home = world.fifty()?;
    step("hot reads");
    let read = home.figures("measure", &["hot-read"])?;
    let bare = home.figures("measure", &["bare-load"])?;
    Ok(vec![Measured::beside(read, &bare)])
}

pub(crate) fn changes(world: &World) -> Result<Vec<Measured>> {
    let home = world.fifty()?;
    step("changes of another process");
    let took = home.figures("measure", &["changes"])?;
    Ok(vec![Measured::alone(took)])
}

pub(crate) fn newest_tokens(world: &World) -> Result<Vec<Measured>> {
    let home = world.fifty()?;
    step("loads of the newest tokens");
    let took = home.figures("newest_tokens", &[])?;
    Ok(vec![Measured::alone(took)])
}
