//! What Upstox counted, over all resets of its counters: a window that died with its machine is no sign-in that goes on, and only a reset
//! says so.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use vega_tests::Upstox;

/// Sums and maxima so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) presses: u64,
    /// Presses beyond what Upstox allows in its window.
    pub(crate) refused: u64,
    exchanges: BTreeMap<String, u64>,
    /// Since the last round began.
    pub(crate) parallel: u64,
}

impl Tally {
    /// Takes in what was counted since the last time. Sign-ins that are open are those of dead machines.
    pub(crate) async fn take_in(&mut self, upstox: &Upstox) -> Result<()> {
        let counters = upstox.counters().await?;
        upstox.count_anew().await?;
        let count = |name: &str| {
            counters[name]
                .as_u64()
                .with_context(|| format!("no counter {name}"))
        };
        self.presses += count("otp_presses")?;
        self.refused += count("otp_refused")?;
        self.parallel = self.parallel.max(count("max_parallel_sign_ins")?);
        let of_codes = counters["exchanges_by_code"].as_object();
        for (code, times) in of_codes.into_iter().flatten() {
            *self.exchanges.entry(code.clone()).or_default() += times.as_u64().unwrap_or_default();
        }
        Ok(())
    }

    /// How often the code was sent that was sent most often.
    pub(crate) fn exchanges_of_one_code(&self) -> u64 {
        self.exchanges.values().copied().max().unwrap_or_default()
    }
}
