//! The days that CI plays, and the proof that they can find something: each injected defect is found by a rule that it
//! breaks, and two campaigns with one seed are one.

#![expect(
    clippy::unwrap_used,
    reason = "a campaign that cannot be played should stop there"
)]

use rstest::rstest;
use vega_simulation::{Campaign, InjectedDefect, Outcome, campaign};

/// Any seed would do; a fixed one fails only when the code has changed.
const SEED: u64 = 1;
/// Enough for every injected defect; the first find ends it.
const DAYS_FOR_A_DEFECT: u32 = 200;
/// Four of them are 200 days, beside each other.
const DAYS: u32 = 50;

fn play(seed: u64, days: u32, defect: Option<InjectedDefect>) -> Outcome {
    campaign(Campaign { seed, days, defect }, |_| {}).unwrap()
}

#[rstest]
fn fifty_days_keep_every_rule(#[values(1, 2, 3, 4)] seed: u64) {
    let outcome = play(seed, DAYS, None);
    assert!(
        outcome.violations.is_empty(),
        "cargo xtask simulation --seed {seed} --days {}\n{}\n{:#?}",
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
#[case(InjectedDefect::PublishBeforeCommit)]
#[case(InjectedDefect::DropJournalWrite)]
#[case(InjectedDefect::RetryPin)]
#[case(InjectedDefect::SecondPost)]
#[case(InjectedDefect::ForgetCooldown)]
#[case(InjectedDefect::LeaseForAll)]
#[case(InjectedDefect::OutageIsDeath)]
#[case(InjectedDefect::OutageIsLife)]
#[case(InjectedDefect::MissChanges)]
#[case(InjectedDefect::ForgetPress)]
#[case(InjectedDefect::CompleteAll)]
#[case(InjectedDefect::SpoolForgets)]
#[case(InjectedDefect::CodeInAudit)]
#[case(InjectedDefect::SkipAudit)]
#[case(InjectedDefect::EraseLiving)]
#[case(InjectedDefect::EndlessCooldown)]
#[case(InjectedDefect::EpochNotCompared)]
#[case(InjectedDefect::LeaseByWallClock)]
#[case(InjectedDefect::LedgerByMachineClock)]
#[case(InjectedDefect::ConflictClearsSpool)]
fn an_injected_defect_is_found(#[case] defect: InjectedDefect) {
    let outcome = play(SEED, DAYS_FOR_A_DEFECT, Some(defect));
    let found = outcome
        .violations
        .iter()
        .any(|violation| defect.breaks().contains(&violation.rule));
    assert!(
        found,
        "{defect} was injected, and {} days found {:?}",
        outcome.days, outcome.violations
    );
}

#[test]
fn every_injected_defect_has_its_control() {
    let controls = include_str!("main.rs").matches("#[case(InjectedDefect::").count();
    // This line has the words, too.
    assert_eq!(controls - 1, InjectedDefect::ALL.len());
}
