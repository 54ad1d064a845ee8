//! `cargo xtask chaos`: the real `vega` is killed at random moments, and after every death the promises are looked at. What
//! happens in one round is `round`'s, when it ends in a death `kill_time`'s; which days pass between rounds is `calendar`'s.

mod calendar;
mod kill_time;
mod round;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use tokio::time::Instant;
use vega_tests::say;

use crate::round::ChaosFixture;

/// Kills vega again and again, and looks whether it keeps its promises.
#[derive(Debug, Parser)]
struct Options {
    /// How often vega is killed
    #[arg(long, default_value_t = 25)]
    kills: u32,
    /// Where the random numbers begin; a run prints its own
    #[arg(long)]
    seed: Option<u64>,
    /// Behave with this defect; then broken promises are what is wanted
    #[arg(long, value_name = "NAME")]
    defect: Option<String>,
}

const KILLS_OF_A_DESK: u32 = 100;

/// Promises were broken; anything else that goes wrong ends with 1.
const BROKEN: u8 = 3;

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let broken = runtime.block_on(run(&options))?;
    Ok(if broken { BROKEN.into() } else { ExitCode::SUCCESS })
}

/// Whether promises were broken.
async fn run(options: &Options) -> Result<bool> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    say(&format!(
        "seed {seed}: {} kills{}",
        options.kills,
        options
            .defect
            .as_ref()
            .map_or(String::new(), |defect| format!(", injected: {defect}"))
    ));
    let began = Instant::now();
    let mut left = options.kills;
    // Each desk begins anew with a seed of its own: the audit trail is verified after every end, and takes longer each time.
    for seed in seed.. {
        if left == 0 {
            break;
        }
        let kills = left.min(KILLS_OF_A_DESK);
        if at_one_desk(seed, kills, options.defect.as_deref()).await? {
            return Ok(true);
        }
        left -= kills;
    }
    let took = began.elapsed().as_secs_f64();
    say(&format!(
        "no promise was broken in {} kills, {took:.0} s",
        options.kills
    ));
    Ok(false)
}

/// So many kills at one desk. Whether promises were broken.
async fn at_one_desk(seed: u64, kills: u32, defect: Option<&str>) -> Result<bool> {
    let began = Instant::now();
    let mut fixture = ChaosFixture::start(seed, defect).await?;
    while fixture.kills() < kills {
        let broken = fixture.round().await?;
        for words in &broken {
            say(&format!("BROKEN after kill {}: {words}", fixture.kills()));
        }
        if !broken.is_empty() {
            say(&format!(
                "again with: cargo xtask chaos --seed {seed} --kills {}",
                fixture.kills()
            ));
            fixture.tell(began.elapsed());
            return Ok(true);
        }
    }
    fixture.tell(began.elapsed());
    Ok(false)
}
