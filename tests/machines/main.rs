//! `cargo xtask machines`: two machines with one database, to which things happen, round after round; after each one the promises are looked
//! at. What happens in a round is `rounds`', what must hold `promises`', how machines get to the database `vega_testing::PostgresLink`'s.

mod calendar;
mod database;
mod figures;
mod lost;
mod moment;
mod pair;
mod promises;
mod rounds;
mod tally;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::{Parser, ValueEnum};
use tokio::time::{Instant, timeout};
use vega_tests::say;

use crate::figures::Figures;
use crate::pair::Pair;
use crate::rounds::{Kind, Kinds};

/// Lets things happen to two machines with one database, and looks whether Vega keeps its promises.
#[derive(Debug, Clone, Parser)]
struct Options {
    /// How many rounds
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// Where the random numbers begin; a run prints its own
    #[arg(long)]
    seed: Option<u64>,
    /// How many pairs of machines at once
    #[arg(long, default_value_t = 1)]
    desks: usize,
    /// Only rounds of these kinds
    #[arg(long, value_name = "KIND")]
    only: Vec<Kind>,
    /// Behave with this defect; then broken promises are what is wanted
    #[arg(long, value_name = "NAME")]
    defect: Option<String>,
    /// Print what happened in each round, also where nothing was broken
    #[arg(long)]
    trace: bool,
}

/// Far longer than a round takes: one that comes to no end is a fault of Vega's or of the harness, and must not hold up whoever waits.
const ROUND: Duration = Duration::from_mins(5);

/// The trail is verified after every round, and takes longer each time.
const ROUNDS_OF_A_DESK: u32 = 20;

/// Promises were broken; anything else that goes wrong ends with 1.
const BROKEN: u8 = 3;

/// The desks that are still to come: a seed and a number of rounds each.
type Desks = Mutex<Vec<(u64, u32)>>;

/// Those of all desks.
type AllFigures = Mutex<Figures>;

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    let injected = options
        .defect
        .iter()
        .map(|defect| format!(", injected: {defect}"));
    say(&format!(
        "seed {seed}: {} rounds{}",
        options.rounds,
        injected.collect::<String>()
    ));
    let began = Instant::now();
    let at_once = u32::try_from(options.desks.max(1))?;
    let of_a_desk = options.rounds.div_ceil(at_once).clamp(1, ROUNDS_OF_A_DESK);
    let desks: Desks = Mutex::new(desks(seed, options.rounds, of_a_desk));
    let figures = AllFigures::default();
    let broken = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..options.desks.max(1))
            .map(|_| scope.spawn(|| lane(&desks, &options, &figures)))
            .collect();
        let ended = lanes
            .into_iter()
            .map(|lane| lane.join().map_err(|_| anyhow!("a lane panicked"))?);
        ended.collect::<Result<Vec<bool>>>()
    })?;
    let all = figures.into_inner().unwrap_or_else(PoisonError::into_inner);
    say(&format!("of all desks: {all}"));
    if broken.contains(&true) {
        return Ok(BROKEN.into());
    }
    let took = began.elapsed().as_secs_f64();
    say(&format!(
        "no promise was broken in {} rounds, {took:.0} s",
        options.rounds
    ));
    Ok(ExitCode::SUCCESS)
}

/// The last one first, as they are taken from the end.
fn desks(seed: u64, rounds: u32, of_a_desk: u32) -> Vec<(u64, u32)> {
    let all = (0..rounds.div_ceil(of_a_desk)).map(|desk| {
        let rounds = (rounds - desk * of_a_desk).min(of_a_desk);
        (seed + u64::from(desk), rounds)
    });
    all.rev().collect()
}

/// Desk after desk. Whether promises were broken; then no other one begins anew, as where something else goes wrong.
fn lane(desks: &Desks, options: &Options, figures: &AllFigures) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let next = || desks.lock().unwrap_or_else(PoisonError::into_inner).pop();
    while let Some((seed, rounds)) = next() {
        let ended = runtime.block_on(at_one_desk(seed, rounds, options, figures));
        if !matches!(ended, Ok(false)) {
            desks.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        if let Err(error) = &ended {
            // At once: the other lanes may have long to go.
            say(&format!("desk {seed} went wrong: {error:#}"));
        }
        if ended? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// So many rounds at one desk. Whether promises were broken.
async fn at_one_desk(seed: u64, rounds: u32, options: &Options, figures: &AllFigures) -> Result<bool> {
    let began = Instant::now();
    let mut pair = Pair::start(seed, options.defect.as_deref()).await?;
    let mut kinds = Kinds::of(&options.only);
    for round in 1..=rounds {
        let Some(kind) = kinds.next(&mut pair.random) else {
            break;
        };
        let round_began = Instant::now();
        let played = async {
            pair.prepare().await?;
            let happened = kind.play(&mut pair).await?;
            anyhow::Ok((happened, pair.look().await?))
        };
        let played = timeout(ROUND, played).await;
        let (happened, broken) =
            played.with_context(|| format!("round {round}, {kind:?}, came to no end"))??;
        let took = round_began.elapsed().as_secs_f64();
        say(&format!("desk {seed}, round {round}: {kind:?}, {took:.1} s"));
        if options.trace {
            say(&happened);
        }
        if !broken.is_empty() {
            for words in &broken {
                say(&format!("BROKEN: {words}"));
            }
            say(&format!("what happened: {happened}"));
            say(&format!("the trail's end:\n{}", pair.database.newest_entries()));
            let only = options.only.iter().filter_map(ValueEnum::to_possible_value);
            let only: Vec<String> = only.map(|kind| format!(" --only {}", kind.get_name())).collect();
            say(&format!(
                "again with: cargo xtask machines --seed {seed} --rounds {round}{}",
                only.concat()
            ));
            pair.tell(round, began.elapsed());
            add(figures, &mut pair);
            return Ok(true);
        }
    }
    pair.tell(rounds, began.elapsed());
    add(figures, &mut pair);
    Ok(false)
}

fn add(figures: &AllFigures, pair: &mut Pair) {
    let mut figures = figures.lock().unwrap_or_else(PoisonError::into_inner);
    figures.add(std::mem::take(&mut pair.promises.figures));
}
