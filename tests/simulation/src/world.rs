//! One desk with its accounts, its computer and its disk, Upstox, and everybody who works there.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::account::Account;
use vega_domain::accounts::Accounts;
use vega_domain::expiry::in_ist;
use vega_domain::ids::{AccountId, ApiName};
use vega_domain::ports::Clock;

use crate::disk::Disk;
use crate::fault_state::{FaultState, Storage};
use crate::ground_truth::GroundTruth;
use crate::injected_defects::InjectedDefect;
use crate::locked::locked;
use crate::machine_time::MachineTime;
use crate::process::Process;
use crate::rules::{Rule, Violation, Violations};
use crate::seeded_rng::SeededRng;
use crate::trace::Trace;
use crate::upstox::Upstox;

/// What outlives a desk.
#[derive(Clone)]
pub(crate) struct Records {
    pub(crate) rng: Arc<SeededRng>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) violations: Arc<Violations>,
    pub(crate) defect: Option<InjectedDefect>,
}

/// One desk.
pub(crate) struct World {
    pub(crate) rng: Arc<SeededRng>,
    pub(crate) defect: Option<InjectedDefect>,
    pub(crate) accounts: Accounts,
    pub(crate) time: Arc<MachineTime>,
    pub(crate) disk: Disk,
    pub(crate) upstox: Upstox,
    pub(crate) truth: Mutex<GroundTruth>,
    /// Who holds the lease.
    pub(crate) lease: Mutex<Option<u32>>,
    trace: Arc<Trace>,
    violations: Arc<Violations>,
    faults: Mutex<FaultState>,
    /// Since when the database answers again.
    readable_since: Mutex<DateTime<Utc>>,
    processes: Mutex<Vec<Arc<Process>>>,
    started: Mutex<u32>,
}

impl World {
    pub(crate) fn opening(records: &Records, accounts: Accounts, start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self {
            rng: Arc::clone(&records.rng),
            defect: records.defect,
            upstox: Upstox::with(&accounts),
            accounts,
            time: Arc::new(MachineTime::beginning_at(start)),
            disk: Disk::default(),
            truth: Mutex::default(),
            lease: Mutex::default(),
            trace: Arc::clone(&records.trace),
            violations: Arc::clone(&records.violations),
            faults: Mutex::new(FaultState::CALM),
            readable_since: Mutex::new(start),
            processes: Mutex::default(),
            started: Mutex::default(),
        })
    }

    pub(crate) fn faults(&self) -> FaultState {
        *locked(&self.faults)
    }

    pub(crate) fn change_faults(&self, change: impl FnOnce(&mut FaultState)) {
        let mut faults = locked(&self.faults);
        let before = faults.storage;
        change(&mut faults);
        if before == Storage::Fails && faults.storage != Storage::Fails {
            *locked(&self.readable_since) = self.time.truth();
        }
    }

    /// Since when the database has answered, if it does.
    pub(crate) fn readable_since(&self) -> Option<DateTime<Utc>> {
        (self.faults().storage != Storage::Fails).then(|| *locked(&self.readable_since))
    }

    /// The newest token of this API is another one, or there is news of it.
    pub(crate) fn token_changed(&self, api: &ApiName) {
        let now = self.time.truth();
        self.truth(|truth| truth.token_changed.insert(api.clone(), now));
    }

    pub(crate) fn truth<T>(&self, look: impl FnOnce(&mut GroundTruth) -> T) -> T {
        look(&mut locked(&self.truth))
    }

    pub(crate) fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.account(id)
    }

    /// What the next process is called.
    pub(crate) fn next_number(&self) -> u32 {
        let mut started = locked(&self.started);
        *started += 1;
        *started
    }

    /// This process lives from now on.
    pub(crate) fn begins(&self, process: &Arc<Process>) {
        locked(&self.processes).push(Arc::clone(process));
    }

    pub(crate) fn living(&self) -> Vec<Arc<Process>> {
        locked(&self.processes).clone()
    }

    /// The process ends here and now, with everything that the system takes from it.
    pub(crate) fn dies(&self, process: &Process, how: &str) {
        if process.is_gone() {
            return;
        }
        self.tell(&format!("P{} {how}", process.number));
        self.crash_is_noted(process);
        self.is_gone(process);
    }

    /// The process ends by itself: what it received must not end with it.
    pub(crate) fn ends(&self, process: &Process) {
        if process.is_gone() {
            return;
        }
        self.check_received(process);
        self.tell(&format!("P{} ends", process.number));
        self.is_gone(process);
    }

    fn is_gone(&self, process: &Process) {
        process.leave();
        let mut lease = locked(&self.lease);
        if *lease == Some(process.number) {
            *lease = None;
        }
        self.truth(|truth| truth.sessions.retain(|(number, _)| *number != process.number));
        locked(&self.processes).retain(|living| living.number != process.number);
    }

    /// One line of the day.
    pub(crate) fn tell(&self, what: &str) {
        let truth = in_ist(self.time.truth()).format("%d %H:%M:%S%.3f");
        let wall = in_ist(self.time.now());
        let shown = if self.time.is_right() {
            String::new()
        } else {
            format!(" (the clock says {})", wall.format("%d %H:%M:%S"))
        };
        self.trace.add(format!("{truth}{shown}  {what}"));
    }

    pub(crate) fn broken(&self, rule: Rule, words: &str) {
        let violation = Violation {
            rule,
            words: words.to_owned(),
        };
        if self.violations.add(violation) {
            self.tell(&format!("!!! {rule}: {words}"));
        }
    }

    /// What is older than two days is of no interest any more, and would only be looked through.
    pub(crate) fn forget_old(&self) {
        let now = self.time.truth();
        self.disk.forget_old();
        self.upstox.books().forget_before(now - TimeDelta::hours(36));
        self.truth(|truth| {
            truth.presses.retain(|press| now - press.at < TimeDelta::hours(1));
            truth.pressed_for.clear();
        });
    }

    pub(crate) fn is_any_rule_broken(&self) -> bool {
        self.violations.any()
    }
}
