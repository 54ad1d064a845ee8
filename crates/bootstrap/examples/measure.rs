//! What `cargo xtask bench` runs: how long a hot read takes, how long another process's change takes to be served, and
//! the stored tokens for a start that is measured from outside. Prints figures, judges none.

#[path = "../tests/it/other_vega.rs"]
mod other_vega;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use arc_swap::ArcSwap;
use tokio::time::{Instant, sleep};
use vega_bootstrap::{Environment, Settings, SystemClock, Vega};
use vega_domain::ids::Generation;
use vega_domain::ports::{Clock, MockEventSink};
use vega_domain::token::{CheckResult, LastCheck};
use vega_testing::Nobody;

use crate::other_vega::OtherVega;

const CHANGES: u32 = 100;
const BATCHES: usize = 200;
const READS_A_BATCH: u32 = 20_000;

#[tokio::main]
async fn main() -> Result<()> {
    let environment = Environment::of_process();
    let settings = Settings::load(&environment)?;
    match std::env::args().nth(1).as_deref() {
        Some("fill") => fill(&settings).await,
        Some("hot-read") => hot_read(&start(settings, environment).await?),
        Some("bare-load") => {
            bare_load();
            Ok(())
        }
        Some("changes") => changes(&start(settings, environment).await?).await,
        _ => {
            bail!("give `fill`, `hot-read`, `bare-load` or `changes`, and Vega's settings in the environment")
        }
    }
}

async fn start(settings: Settings, environment: Environment) -> Result<Vega> {
    let (operator, events) = (Nobody, MockEventSink::new());
    Ok(Vega::start(
        settings,
        environment,
        Arc::new(operator),
        Arc::new(events),
        Arc::new(vega_bootstrap::Undecorated),
    )
    .await?)
}

/// Stores a token for every configured API.
async fn fill(settings: &Settings) -> Result<()> {
    let now = SystemClock::new().now();
    let other = OtherVega::open(&settings.database_place, settings.key_source.path(), now).await?;
    for account in settings.accounts.iter() {
        for api in &account.apis {
            other.store(account, api, Generation::FIRST, now).await?;
        }
    }
    other.close(now).await
}

/// Nanoseconds of one read, per batch, while another thread reads too and a third one publishes every millisecond.
fn hot_read(vega: &Vega) -> Result<()> {
    let api = &vega.settings.accounts[0].apis[0].name;
    let token = vega.registry.get(api).context("no token is hot; `fill` first")?;
    let reader = vega.registry.reader(api);
    let read = || black_box(&reader).read(|token| token.generation);
    let is_over = AtomicBool::new(false);
    let figures = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                black_box(read());
            }
        });
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                vega.registry.publish(&token);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let figures: Vec<f64> = (0..BATCHES).map(|_| batch(read)).collect();
        is_over.store(true, Ordering::Relaxed);
        figures
    });
    say(figures);
    Ok(())
}

/// The floor of a hot read: one load of what may be swapped.
fn bare_load() {
    let bare = ArcSwap::from_pointee(7_u32);
    say((0..BATCHES).map(|_| batch(|| **black_box(&bare).load())));
}

fn batch<T>(read: impl Fn() -> T) -> f64 {
    let began = Instant::now();
    for _ in 0..READS_A_BATCH {
        black_box(read());
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(READS_A_BATCH)
}

/// Milliseconds from the end of another process's commit until readers get the new token, or no longer a rejected one.
async fn changes(vega: &Vega) -> Result<()> {
    let (account, now) = (&vega.settings.accounts[0], vega.clock.now());
    let api = &account.apis[0];
    let other = OtherVega::open(
        &vega.settings.database_place,
        vega.settings.key_source.path(),
        now,
    )
    .await?;
    let mut changes = vega.registry.subscribe();
    let served = || vega.registry.get(&api.name).map(|token| token.generation);
    let before = served().map_or(0, Generation::get);
    let measured = async {
        let mut took = Vec::new();
        for number in 1..=CHANGES {
            let generation = Generation::new(before + number)?;
            for expected in [Some(generation), None] {
                // At every phase of whatever asks regularly.
                sleep(Duration::from_millis(u64::from(number * 37 % 101))).await;
                let (at, result) = (vega.clock.now(), CheckResult::Invalid);
                match expected {
                    Some(_) => other.store(account, api, generation, at).await?,
                    None => other.check(api, generation, LastCheck { at, result }).await?,
                }
                let began = Instant::now();
                changes.wait_for(|_| served() == expected).await?;
                took.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
        anyhow::Ok(took)
    };
    let took = tokio::select! {
        never = vega.follow_tokens() => match never {},
        took = measured => took?,
    };
    say(took);
    other.close(vega.clock.now()).await
}

/// A figure a line; what they amount to is reckoned by who asked.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
fn say(figures: impl IntoIterator<Item = f64>) {
    for figure in figures {
        println!("{figure:.4}");
    }
}
