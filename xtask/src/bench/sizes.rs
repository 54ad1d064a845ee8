//! How large the programs of the release build are.

use anyhow::Result;

use crate::bench::home::release;
use crate::bench::row::Measured;
use crate::bench::world::World;

pub(crate) fn binaries(_: &World) -> Result<Vec<Measured>> {
    let sizes = ["vega", "vega-server"].map(|name| {
        let bytes = std::fs::metadata(release(name))?.len();
        #[expect(clippy::cast_precision_loss, reason = "a size of some megabytes")]
        Ok(Measured::alone(vec![bytes as f64 / 1e6]))
    });
    sizes.into_iter().collect()
}
