//! The days that CI plays, and the proof that they can find something: each planted defect is found by a rule that it
//! breaks, and two campaigns with one seed are one.

#![expect(
    clippy::unwrap_used,
    reason = "a campaign that cannot be played should stop there"
)]

use rstest::rstest;
use vega_days::{Campaign, Outcome, Plant, campaign};

/// Any seed would do; a fixed one fails only when the code has changed.
const SEED: u64 = 1;
/// Enough for every planted defect; the first find ends it.
const DAYS_FOR_A_PLANT: u32 = 200;
/// Four of them are 200 days, beside each other.
const DAYS: u32 = 50;

fn play(seed: u64, days: u32, plant: Option<Plant>) -> Outcome {
    campaign(Campaign { seed, days, plant }, |_| {}).unwrap()
}

#[rstest]
fn fifty_days_keep_every_rule(#[values(1, 2, 3, 4)] seed: u64) {
    let outcome = play(seed, DAYS, None);
    assert!(
        outcome.violations.is_empty(),
        "cargo xtask days --seed {seed} --days {}\n{}\n{:#?}",
        outcome.days,
        outcome.last_day.join("\n"),
        outcome.violations
    );
    assert_eq!(outcome.days, DAYS);
}

#[test]
fn one_seed_plays_the_same_days_again() {
    let (first, second) = (play(SEED, 6, None), play(SEED, 6, None));
    assert_eq!(first.digest, second.digest);
    assert_eq!(first.last_day, second.last_day);
    assert!(!first.last_day.is_empty());
    assert_ne!(play(SEED + 1, 6, None).digest, first.digest);
}

#[rstest]
#[case(Plant::PublishBeforeCommit)]
#[case(Plant::DropJournalWrite)]
#[case(Plant::RetryPin)]
#[case(Plant::SecondPost)]
#[case(Plant::ForgetCooldown)]
#[case(Plant::LeaseForAll)]
#[case(Plant::OutageIsDeath)]
#[case(Plant::OutageIsLife)]
#[case(Plant::MissChanges)]
#[case(Plant::ForgetPress)]
#[case(Plant::CompleteAll)]
#[case(Plant::SpoolForgets)]
#[case(Plant::CodeInAudit)]
#[case(Plant::SkipAudit)]
#[case(Plant::EraseLiving)]
#[case(Plant::EndlessCooldown)]
fn a_planted_defect_is_found(#[case] plant: Plant) {
    let outcome = play(SEED, DAYS_FOR_A_PLANT, Some(plant));
    let found = outcome
        .violations
        .iter()
        .any(|violation| plant.breaks().contains(&violation.rule));
    assert!(
        found,
        "{plant} was planted, and {} days found {:?}",
        outcome.days, outcome.violations
    );
}

#[test]
fn every_plant_has_its_control() {
    let controls = include_str!("main.rs").matches("#[case(Plant::").count();
    // This line has the words, too.
    assert_eq!(controls - 1, Plant::ALL.len());
}
