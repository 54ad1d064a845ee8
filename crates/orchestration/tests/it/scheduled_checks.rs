//! When the stored tokens are checked unasked. The tests' morning is 23 November 2026, a Monday, from 08:45 IST on.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use vega_domain::check_times::CheckTimes;
use vega_domain::expiry::in_ist;
use vega_domain::ports::{Clock, ProfileAnswer};
use vega_orchestration::ScheduledChecks;

use crate::orchestration_fixture::{OrchestrationFixture, Standing, user};

fn fixture() -> OrchestrationFixture {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    fixture.has("PRIMARY", Standing::Valid);
    fixture.has("WEBSOCKET1", Standing::Rejected);
    fixture.log.take();
    fixture
}

fn checks(fixture: &OrchestrationFixture) -> ScheduledChecks {
    fixture.orchestrator().scheduled_checks(CheckTimes::default())
}

/// At which times of the day PRIMARY was checked within `long`.
async fn checked_within(fixture: &OrchestrationFixture, long: Duration) -> Vec<String> {
    let (checks, began) = (checks(fixture), Instant::now());
    let look = async {
        let mut seen = Vec::new();
        loop {
            sleep(Duration::from_secs(1)).await;
            for effect in fixture.log.take_only(&["record_checks PRIMARY WEBSOCKET1"]) {
                let fails = effect.trim_start_matches("record_checks PRIMARY WEBSOCKET1");
                seen.push(format!(
                    "{}{fails}",
                    in_ist(fixture.clock.now()).format("%a %H:%M")
                ));
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
    let fixture = fixture();
    let seen = checked_within(&fixture, Duration::from_hours(16)).await;
    let hours = ["09", "10", "11", "12", "13", "14", "15"];
    assert_eq!(seen, hours.map(|hour| format!("Mon {hour}:00")));
}

/// Also one that was called dead: it may have been a mistake.
#[tokio::test(start_paused = true)]
async fn a_check_takes_a_dead_token_out_and_a_mistake_back() {
    let fixture = fixture();
    fixture.broker.says("PRIMARY", ProfileAnswer::Invalid);
    fixture.broker.holds_good("WEBSOCKET1");
    fixture
        .broker
        .says("WEBSOCKET1", ProfileAnswer::Valid(user("AB1234")));
    checked_within(&fixture, Duration::from_mins(20)).await;
    assert!(fixture.database.token("PRIMARY").unwrap().is_refused());
    assert!(!fixture.database.token("WEBSOCKET1").unwrap().is_refused());
}

/// A database that takes nothing at 09:00 gets its check as soon as it does.
#[tokio::test(start_paused = true)]
async fn a_check_that_fails_is_made_again_soon() {
    let fixture = fixture();
    fixture.faults.fail_once_at("record_checks PRIMARY WEBSOCKET1");
    let seen = checked_within(&fixture, Duration::from_mins(30)).await;
    assert_eq!(seen, ["Mon 09:00 fails", "Mon 09:00"]);
}
