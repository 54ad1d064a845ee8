//! One process of Vega: who answers for it, on which machine it runs, and what the rules have to remember of it. It may be drawn to
//! die, or to be held up for a while, at one of the points at which it waits for the outside (see `here`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vega_domain::ids::{ApiName, AttemptId, Generation};
use vega_domain::plan::Plan;
use vega_services::HotTokenRegistry;

use crate::lease_row::Heard;
use crate::locked::locked;
use crate::machine::Machine;
use crate::process_clock::ProcessClock;

/// Who answers for this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Somebody sits at its terminal.
    Terminal,
    /// `--yes`, at a terminal.
    StandingYes,
    /// `--yes`, by a timer.
    Timer,
    /// By a timer and without a yes.
    TimerWithoutYes,
}

/// What is drawn to happen to a process, by the number of points that it passes before.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fate {
    pub(crate) dies_after: Option<u32>,
    /// It is held up for so long, and goes on.
    pub(crate) held_up: Option<(u32, Duration)>,
}

/// Until when a process is held up, or was.
#[derive(Debug, Clone, Copy)]
struct HeldUp {
    until: Instant,
    until_truth: DateTime<Utc>,
}

/// One process.
pub(crate) struct Process {
    pub(crate) number: u32,
    pub(crate) machine: Arc<Machine>,
    pub(crate) clock: Arc<ProcessClock>,
    pub(crate) manner: Manner,
    pub(crate) registry: OnceLock<Arc<HotTokenRegistry>>,
    /// Whether it hears of what other processes store.
    pub(crate) follows: AtomicBool,
    /// How many runs it was asked for.
    pub(crate) starts: AtomicU32,
    /// Per API the sign-in that had ended last when it asked how sign-ins ended.
    pub(crate) told: Mutex<BTreeMap<ApiName, AttemptId>>,
    /// The same when its last plan was made.
    pub(crate) told_in_plan: Mutex<BTreeMap<ApiName, AttemptId>>,
    /// What its operator said yes to last.
    pub(crate) confirmed: Mutex<Option<Plan>>,
    /// Per API the newest generation that it must know of.
    pub(crate) knows: Mutex<BTreeMap<ApiName, Generation>>,
    /// What it said to have in memory only.
    pub(crate) in_memory: Mutex<BTreeSet<(ApiName, Generation)>>,
    /// The tokens that it received, and when.
    pub(crate) received: Mutex<Vec<(String, DateTime<Utc>)>>,
    /// What it saw of the lease of several machines.
    pub(crate) heard: Mutex<Option<Heard>>,
    /// The epoch under which it has that lease; 0 where it has not.
    epoch: AtomicU32,
    /// Its presses and calls since another process took the lease that it has.
    effects: AtomicU32,
    /// When its newest press was put on record, until it is made.
    pub(crate) granted_at: Mutex<Option<DateTime<Utc>>>,
    gone: CancellationToken,
    fate: Mutex<Fate>,
    held_up: Mutex<Option<HeldUp>>,
}

impl Process {
    pub(crate) fn starting(number: u32, machine: Arc<Machine>, manner: Manner, fate: Fate) -> Self {
        Self {
            number,
            clock: Arc::new(ProcessClock::over(Arc::clone(&machine.time))),
            machine,
            manner,
            registry: OnceLock::new(),
            follows: AtomicBool::new(false),
            starts: AtomicU32::new(0),
            told: Mutex::default(),
            told_in_plan: Mutex::default(),
            confirmed: Mutex::default(),
            knows: Mutex::default(),
            in_memory: Mutex::default(),
            received: Mutex::default(),
            heard: Mutex::default(),
            epoch: AtomicU32::new(0),
            effects: AtomicU32::new(0),
            granted_at: Mutex::default(),
            gone: CancellationToken::new(),
            fate: Mutex::new(fate),
            held_up: Mutex::default(),
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
    }

    /// Returns when it has died or ended.
    pub(crate) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// Which of its runs is under way.
    pub(crate) fn run(&self) -> (u32, u32) {
        (self.number, self.starts.load(Ordering::Relaxed))
    }

    pub(crate) fn knows(&self, api: &ApiName, generation: Generation) {
        let mut knows = locked(&self.knows);
        let newest = knows.entry(api.clone()).or_insert(generation);
        *newest = generation.max(*newest);
    }

    pub(crate) fn leave(&self) {
        self.gone.cancel();
    }

    /// It has the lease of several machines under this epoch, or, with 0, not any more.
    pub(crate) fn has_lease(&self, epoch: u32) {
        self.epoch.store(epoch, Ordering::Relaxed);
        self.effects.store(0, Ordering::Relaxed);
    }

    /// Under which epoch it has that lease.
    pub(crate) fn epoch(&self) -> Option<u32> {
        Some(self.epoch.load(Ordering::Relaxed)).filter(|epoch| *epoch > 0)
    }

    /// One more press or call after it was taken over. Returns how many there were.
    pub(crate) fn one_more_effect(&self) -> u32 {
        self.effects.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// One more point at which it may die; whether it does here.
    pub(crate) fn is_last_point(&self) -> bool {
        match &mut locked(&self.fate).dies_after {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    /// One more point at which it may be held up; for how long it is here.
    pub(crate) fn is_stopped_here(&self) -> Option<Duration> {
        let mut fate = locked(&self.fate);
        let (left, length) = fate.held_up.as_mut()?;
        if *left > 0 {
            *left -= 1;
            return None;
        }
        let length = *length;
        fate.held_up = None;
        Some(length)
    }

    /// It stands still from now on for so long.
    pub(crate) fn hold_up(&self, length: Duration) {
        let until_truth = self.machine.time.truth() + TimeDelta::from_std(length).unwrap_or_default();
        *locked(&self.held_up) = Some(HeldUp {
            until: Instant::now() + length,
            until_truth,
        });
    }

    /// Until when it stands still, if it does.
    pub(crate) fn stands_until(&self) -> Option<Instant> {
        let held_up = *locked(&self.held_up);
        held_up
            .map(|held_up| held_up.until)
            .filter(|until| *until > Instant::now())
    }

    /// When it last went on after it was held up.
    pub(crate) fn went_on_at(&self) -> Option<DateTime<Utc>> {
        locked(&self.held_up).map(|held_up| held_up.until_truth)
    }
}
