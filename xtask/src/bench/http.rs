//! Token reads over HTTP, beside an axum handler that does nothing: as many as 32 connections get, on a machine of their
//! own and beside other work, and at a rate that programs have. The example `load` asks and measures.

use std::process::Command;

use anyhow::{Context, Result};

use crate::bench::home::Home;
use crate::bench::programs::said;
use crate::bench::row::Measured;
use crate::bench::server::Server;
use crate::bench::world::World;
use crate::demo_desk::Companion;
use crate::shell::step;

const PATH: &str = "/api/v1/apis/API1/token";
const ROUNDS: usize = 3;
/// As long as `load` asks, in seconds.
const LASTS: f64 = 5.0;
/// Keeps a core busy for as long as it is let.
const BUSY: &str = "while :; do :; done";

/// Who asks, and whom beside the floor.
struct Asking<'a> {
    home: &'a Home,
    key: &'a str,
    vega: Server,
    empty: Server,
}

/// Answers in a second and their p99, alone and beside other work; then the answers at a rate.
pub(crate) fn token_reads(world: &World) -> Result<Vec<Measured>> {
    let home = world.fifty()?;
    let key = said(&mut home.vega(&["key", "add", "bench", "--scope", "token:API1"]))?;
    let asking = Asking {
        home,
        key: key.trim(),
        vega: Server::start(home)?,
        empty: Server::empty_handler()?,
    };
    let alone = asking.as_fast_as_it_goes("alone")?;
    let busy = other_work()?;
    let beside = asking.as_fast_as_it_goes("beside other work")?;
    drop(busy);
    step("token reads over HTTP at a rate");
    let at_a_rate = Measured::alone(asking.asked(&asking.vega, PATH, "200")?);
    let all = [alone, beside].into_iter().flatten().chain([at_a_rate]);
    Ok(all.collect())
}

/// Something else that wants each core.
fn other_work() -> Result<Vec<Companion>> {
    let cores = std::thread::available_parallelism()?.get();
    let work = (0..cores).map(|_| {
        let busy = Command::new("sh").args(["-c", BUSY]).spawn();
        Ok(Companion::of(busy.context("a shell cannot be started")?))
    });
    work.collect()
}

impl Asking<'_> {
    /// Answers in a second and the p99 of each round, Vega and the floor in turns.
    fn as_fast_as_it_goes(&self, how: &str) -> Result<[Measured; 2]> {
        let (mut rates, mut tails) = (Measured::default(), Measured::default());
        for round in 1..=ROUNDS {
            step(&format!("token reads over HTTP {how}, round {round} of {ROUNDS}"));
            let (rate, tail) = summary(self.asked(&self.vega, PATH, "0")?);
            rates.figures.push(rate);
            tails.figures.push(tail);
            let (rate, tail) = summary(self.asked(&self.empty, "/", "0")?);
            rates.floor.push(rate);
            tails.floor.push(tail);
        }
        Ok([rates, tails])
    }

    /// Microseconds of each answer.
    fn asked(&self, server: &Server, path: &str, rate: &str) -> Result<Vec<f64>> {
        let arguments = [&*server.address, path, self.key, rate];
        self.home.figures("load", &arguments)
    }
}

/// Answers in a second, and the microseconds that ninety-nine of a hundred took at most.
fn summary(mut took: Vec<f64>) -> (f64, f64) {
    took.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let rate = took.len() as f64 / LASTS;
    (rate, took.get(took.len() * 99 / 100).copied().unwrap_or_default())
}
