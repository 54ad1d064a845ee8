//! What `cargo xtask bench --check` counts the instructions of: so many hot reads, one after the other, on one thread, with the
//! clock that programs have. Argument: how many. Counts nothing itself.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use vega_bootstrap::SystemClock;
use vega_domain::expiry;
use vega_domain::ids::AttemptId;
use vega_domain::ports::Clock;
use vega_services::HotTokenRegistry;
use vega_testing::builders;

fn main() -> Result<()> {
    let count = std::env::args().nth(1).context("give how many reads")?;
    let clock = Arc::new(SystemClock::new());
    let now = clock.now();
    let mut token = builders::token(AttemptId::at(now), "PRIMARY", 1).token;
    (token.issued_at, token.valid_until) = (now, expiry::valid_until(now));
    let registry = HotTokenRegistry::new(clock);
    ensure!(registry.publish(&token), "the token is not served");
    let reader = registry.reader(&token.api);
    for _ in 0..count.parse::<u32>()? {
        black_box(black_box(&reader).read(|token| token.generation));
    }
    Ok(())
}
