//! When the stored tokens are checked unasked. The tests' morning is 23 November 2026, a Monday, from 08:45 IST on.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use vega_domain::check_times::CheckTimes;
use vega_domain::expiry::in_ist;
use vega_domain::ports::{Clock, ProfileAnswer};
use vega_orchestration::ScheduledChecks;

use crate::world::{Standing, World, user};

fn world() -> World {
    let world = World::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    world.has("PRIMARY", Standing::Valid);
    world.has("WEBSOCKET1", Standing::Rejected);
    world.log.take();
    world
}

fn checks(world: &World) -> ScheduledChecks {
    world.orchestrator().scheduled_checks(CheckTimes::default())
}

/// At which times of the day PRIMARY was checked within `long`.
async fn checked_within(world: &World, long: Duration) -> Vec<String> {
    let (checks, began) = (checks(world), Instant::now());
    let look = async {
        let mut seen = Vec::new();
        loop {
            sleep(Duration::from_secs(1)).await;
            for effect in world.log.take_only(&["record_check PRIMARY"]) {
                let fails = effect.trim_start_matches("record_check PRIMARY");
                seen.push(format!("{}{fails}", in_ist(world.clock.now()).format("%a %H:%M")));
            }
            if began.elapsed() > long {
                return seen;
            }
        }
    };
    tokio::select! {
        biased;
        never = checks.go_on() => match never {},
        seen = look => seen,
    }
}

#[tokio::test(start_paused = true)]
async fn living_tokens_are_checked_hourly_while_the_market_is_open() {
    let world = world();
    let seen = checked_within(&world, Duration::from_hours(16)).await;
    let hours = ["09", "10", "11", "12", "13", "14", "15"];
    assert_eq!(seen, hours.map(|hour| format!("Mon {hour}:00")));
}

/// Also one that was called dead: it may have been a mistake.
#[tokio::test(start_paused = true)]
async fn a_check_takes_a_dead_token_out_and_a_mistake_back() {
    let world = world();
    world.broker.says("PRIMARY", ProfileAnswer::Invalid);
    world.broker.holds_good("WEBSOCKET1");
    world
        .broker
        .says("WEBSOCKET1", ProfileAnswer::Valid(user("AB1234")));
    checked_within(&world, Duration::from_mins(20)).await;
    assert!(world.database.token("PRIMARY").unwrap().is_refused());
    assert!(!world.database.token("WEBSOCKET1").unwrap().is_refused());
}

/// A database that takes nothing at 09:00 gets its check as soon as it does.
#[tokio::test(start_paused = true)]
async fn a_check_that_fails_is_made_again_soon() {
    let world = world();
    world.faults.fail_once_at("record_check PRIMARY");
    let seen = checked_within(&world, Duration::from_mins(30)).await;
    assert_eq!(seen, ["Mon 09:00 fails", "Mon 09:00"]);
}
