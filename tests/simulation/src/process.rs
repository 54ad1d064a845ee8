//! One process of Vega: who answers for it, and what the rules have to remember of it. It may be drawn to die at one of the
//! points at which it waits for the outside (see `here`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use vega_domain::ids::{ApiName, AttemptId, Generation};
use vega_domain::plan::Plan;
use vega_services::HotTokenRegistry;

use crate::locked::locked;

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

/// One process.
pub(crate) struct Process {
    pub(crate) number: u32,
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
    gone: CancellationToken,
    dies_after: Mutex<Option<u32>>,
}

impl Process {
    pub(crate) fn starting(number: u32, manner: Manner, dies_after: Option<u32>) -> Self {
        Self {
            number,
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
            gone: CancellationToken::new(),
            dies_after: Mutex::new(dies_after),
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

    /// One more point at which it may die; whether it does here.
    pub(crate) fn is_last_point(&self) -> bool {
        match &mut *locked(&self.dies_after) {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }
}
