//! One desk with its accounts, its machines and what they store, Upstox, and everybody who works there.

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
use crate::lease_row::LeaseRow;
use crate::locked::locked;
use crate::machine::Machine;
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
    /// The time of the installation: of the one machine, or of the database that several share.
    pub(crate) time: Arc<MachineTime>,
    pub(crate) machines: Vec<Arc<Machine>>,
    pub(crate) disk: Disk,
    pub(crate) upstox: Upstox,
    pub(crate) truth: Mutex<GroundTruth>,
    /// The lease of several machines.
    pub(crate) row: Mutex<LeaseRow>,
    trace: Arc<Trace>,
    violations: Arc<Violations>,
    faults: Mutex<FaultState>,
    /// Since when the database answers again.
    readable_since: Mutex<DateTime<Utc>>,
    /// Until when it could be read and took no changes.
    full_until: Mutex<DateTime<Utc>>,
    processes: Mutex<Vec<Arc<Process>>>,
    started: Mutex<u32>,
}

impl World {
    /// With so many machines.
    pub(crate) fn opening(
        records: &Records,
        accounts: Accounts,
        machines: usize,
        start: DateTime<Utc>,
    ) -> Arc<Self> {
        let time = Arc::new(MachineTime::beginning_at("boot", start));
        let time_of = |number| match machines {
            1 => Arc::clone(&time),
            _ => Arc::new(MachineTime::beginning_at(format!("boot-of-{number}"), start)),
        };
        let machines: Vec<Arc<Machine>> = (0..machines)
            .map(|number| Arc::new(Machine::new(number, time_of(number))))
            .collect();
        Arc::new(Self {
            rng: Arc::clone(&records.rng),
            defect: records.defect,
            upstox: Upstox::with(&accounts),
            accounts,
            time,
            disk: Disk::of(machines.len()),
            machines,
            truth: Mutex::default(),
            row: Mutex::default(),
            trace: Arc::clone(&records.trace),
            violations: Arc::clone(&records.violations),
            faults: Mutex::new(FaultState::CALM),
            readable_since: Mutex::new(start),
            full_until: Mutex::new(start),
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
        let now = self.time.truth();
        if before == Storage::Fails && faults.storage != Storage::Fails {
            *locked(&self.readable_since) = now;
        }
        if before == Storage::TakesNothing && faults.storage != before {
            *locked(&self.full_until) = now;
        }
    }

    /// Whether machines share the database, which then lies on none of them.
    pub(crate) fn has_several_machines(&self) -> bool {
        self.machines.len() > 1
    }

    /// The clock of this machine; after those of all machines, the database's.
    pub(crate) fn clock(&self, number: usize) -> &MachineTime {
        self.machines
            .get(number)
            .map_or(&self.time, |machine| &machine.time)
    }

    /// Until when the database last could be read and took no changes.
    pub(crate) fn was_full_until(&self) -> DateTime<Utc> {
        *locked(&self.full_until)
    }

    /// Since when the database has answered this process, if it does.
    pub(crate) fn answers_since(&self, process: &Process) -> Option<DateTime<Utc>> {
        let answers = (self.faults().storage != Storage::Fails).then(|| *locked(&self.readable_since))?;
        let reaches = process.machine.reaches_since()?;
        Some(answers.max(reaches).max(process.went_on_at().unwrap_or(answers)))
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
        process.machine.unlock_file(process.number);
        self.truth(|truth| truth.sessions.retain(|(number, _)| *number != process.number));
        locked(&self.processes).retain(|living| living.number != process.number);
    }

    /// One line of the day.
    pub(crate) fn tell(&self, what: &str) {
        let truth = in_ist(self.time.truth()).format("%d %H:%M:%S%.3f");
        let wall = in_ist(self.time.now());
        let whose = if self.has_several_machines() {
            "database's clock"
        } else {
            "clock"
        };
        let shown = if self.time.is_right() {
            String::new()
        } else {
            format!(" (the {whose} says {})", wall.format("%d %H:%M:%S"))
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
