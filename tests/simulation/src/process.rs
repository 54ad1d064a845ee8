//! One process of Vega: it can die at every point at which it waits for the outside. Whatever it waited for then never
//! comes, so nothing of it goes on; only what is on disk or at Upstox survives.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use vega_domain::ids::{ApiName, AttemptId, Generation};
use vega_domain::plan::Plan;
use vega_services::HotTokenRegistry;

use crate::injected_defects::InjectedDefect;
use crate::locked::locked;
use crate::rules::Rule;
use crate::world::World;

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
    fn is_last_point(&self) -> bool {
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

/// The world as one process meets it: what every adapter holds.
#[derive(Clone)]
pub(crate) struct Here {
    pub(crate) world: Arc<World>,
    pub(crate) process: Arc<Process>,
}

impl Here {
    /// A point at which the process may die; everything is looked at.
    pub(crate) async fn point(&self) {
        if !self.process.is_gone() {
            self.world.look();
            if self.process.is_last_point() {
                self.world.dies(&self.process, "is killed");
            }
        }
        self.stay().await;
    }

    /// Nothing comes back to a dead process.
    pub(crate) async fn stay(&self) {
        if self.process.is_gone() {
            pending::<()>().await;
        }
    }

    pub(crate) async fn rest(&self, length: Duration) {
        sleep(length).await;
        self.stay().await;
    }

    pub(crate) fn tell(&self, what: &str) {
        self.world.tell(&format!("P{} {what}", self.process.number));
    }

    pub(crate) fn is_injected(&self, defect: InjectedDefect) -> bool {
        self.world.defect == Some(defect)
    }

    pub(crate) fn broken(&self, rule: Rule, words: &str) {
        self.world
            .broken(rule, &format!("P{}: {words}", self.process.number));
    }
}
