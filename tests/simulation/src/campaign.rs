//! A campaign: days after days from one seed, desk after desk, until a rule is broken or all days are over.

use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::day;
use crate::desk;
use crate::injected_defects::InjectedDefect;
use crate::rules::{Violation, Violations};
use crate::seeded_rng::SeededRng;
use crate::trace::Trace;
use crate::world::{Records, World};

/// After so many days everything begins anew with other accounts.
const DAYS_PER_DESK: u32 = 10;
/// 03:30 IST of the first day.
const FIRST_DAY: &str = "2026-11-23T03:30:00+05:30";

/// What is to be played.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// From which every choice is drawn.
    pub seed: u64,
    /// How many days at most.
    pub days: u32,
    /// A defect to find.
    pub defect: Option<InjectedDefect>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// How many days were played.
    pub days: u32,
    /// How many of them on a desk with several machines.
    pub days_of_several_machines: u32,
    /// Of everything that happened: the same for the same seed.
    pub digest: String,
    /// What was broken on the last day; nothing, if all is well.
    pub violations: Vec<Violation>,
    /// What happened on the last day, in order.
    pub last_day: Vec<String>,
}

/// Plays it. `each_day` is told the number of each day that is over.
pub fn campaign(campaign: Campaign, mut each_day: impl FnMut(u32)) -> Result<Outcome> {
    let records = Records {
        rng: Arc::new(SeededRng::seeded(campaign.seed)),
        trace: Arc::new(Trace::default()),
        violations: Arc::new(Violations::default()),
        defect: campaign.defect,
    };
    let first = DateTime::parse_from_rfc3339(FIRST_DAY)
        .context("the first day")?
        .to_utc();
    let mut outcome = Outcome {
        days: 0,
        days_of_several_machines: 0,
        digest: String::new(),
        violations: Vec::new(),
        last_day: Vec::new(),
    };
    while outcome.days < campaign.days && outcome.violations.is_empty() {
        let days = DAYS_PER_DESK.min(campaign.days - outcome.days);
        let begins = first + TimeDelta::days(outcome.days.into());
        // Its own runtime, so that nothing of dead processes is left when the desk closes.
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()?;
        runtime.block_on(desk(&records, days, begins, &mut outcome, &mut each_day))?;
    }
    outcome.digest = records.trace.digest();
    Ok(outcome)
}

async fn desk(
    records: &Records,
    days: u32,
    begins: DateTime<Utc>,
    outcome: &mut Outcome,
    each_day: &mut impl FnMut(u32),
) -> Result<()> {
    let accounts = desk::draw(&records.rng)?;
    let machines = desk::machines(&records.rng);
    let world = World::opening(records, accounts, machines, begins);
    world.tell(&format!("a desk opens; its machines: {machines}"));
    let mut sessions = JoinSet::new();
    for day in 0..days {
        outcome.last_day = records.trace.take_day();
        day::live(&world, begins + TimeDelta::days(day.into()), &mut sessions).await;
        outcome.days += 1;
        outcome.days_of_several_machines += u32::from(world.has_several_machines());
        outcome.violations = records.violations.take();
        outcome.last_day = records.trace.take_day();
        each_day(outcome.days);
        if !outcome.violations.is_empty() {
            break;
        }
    }
    Ok(())
}
