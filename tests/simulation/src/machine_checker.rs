//! Checks what must never happen where several machines share one database: who was taken over changes nothing any more and makes
//! one press or one call at most, and nobody is taken over who lives and can say so.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::here::Here;
use crate::lease_row::SILENCE;
use crate::locked::locked;
use crate::process::Process;
use crate::rules::Rule;
use crate::store::Whose;
use crate::world::World;

impl World {
    /// Whether another process has the lease that this one has, as it believes.
    pub(crate) fn is_taken_over(&self, process: &Process) -> bool {
        let in_force = locked(&self.row).epoch;
        process.epoch().is_some_and(|epoch| epoch != in_force)
    }

    /// Whether the lease is somebody else's, or nobody's of this process. On one machine the lock of a file keeps it so.
    pub(crate) fn is_without_lease(&self, process: &Process) -> bool {
        let in_force = locked(&self.row).epoch;
        self.has_several_machines() && process.epoch().unwrap_or_default() != in_force
    }

    /// Whether nobody can tell how long `since` is ago. Between machines only the database's clock tells.
    pub(crate) fn lost_count_of(&self, since: DateTime<Utc>) -> bool {
        if self.has_several_machines() {
            self.time.was_set_since(since)
        } else {
            self.time.lost_count_of(since)
        }
    }

    fn living_one(&self, number: u32) -> Option<Arc<Process>> {
        let mut living = self.living().into_iter();
        living.find(|process| process.number == number)
    }

    /// Whether another process, which was not taken over, has a browser session.
    pub(crate) fn signs_in_beside(&self, number: u32) -> bool {
        let others = self.truth(|truth| truth.sessions.clone());
        let mut others = others.into_iter().filter(|(other, _)| *other != number);
        others.any(|(other, _)| {
            self.living_one(other)
                .is_none_or(|other| !self.is_taken_over(&other))
        })
    }
}

impl Here {
    /// Whether this process has the lease, or had it when it was last told.
    pub(crate) fn has_lease(&self) -> bool {
        let process = &self.process;
        if self.world.has_several_machines() {
            return process.epoch().is_some();
        }
        *locked(&process.machine.file) == Some(process.number)
    }

    pub(crate) fn is_taken_over(&self) -> bool {
        self.world.is_taken_over(&self.process)
    }

    /// A change is committed.
    pub(crate) fn check_write(&self, whose: Whose, what: &str) {
        if whose == Whose::Anybodys {
            return;
        }
        if self.is_taken_over() {
            self.broken(Rule::LateWrite, what);
        } else if !self.has_lease() {
            self.broken(Rule::LateWrite, &format!("{what}, without the lease"));
        }
    }

    /// A press or a call is made. One may come from somebody who was taken over: its commit was acknowledged before.
    pub(crate) fn check_effect(&self, what: &str) {
        if self.is_taken_over() {
            let effects = self.process.one_more_effect();
            self.tell(&format!("was taken over: {what}"));
            if effects > 1 {
                self.broken(
                    Rule::TwoAtOnce,
                    &format!("{what}, its effect {effects} after it was taken over"),
                );
            }
        }
    }

    /// The lease is taken from a process that counts as silent. One that lives is silent if it was held up or cut off within that
    /// time, or if the database took no changes.
    pub(crate) fn check_taken_from(&self, silent: u32, epoch: u32) {
        let world = &self.world;
        let Some(process) = world.living_one(silent) else {
            return;
        };
        // What it gave back during an outage stays its own in the row.
        if process.epoch() != Some(epoch) || process.stands_until().is_some() {
            return;
        }
        let Some(reaches_since) = process.machine.reaches_since() else {
            return;
        };
        // An outage in which nothing can be read is not among them: it takes the lease from nobody.
        let mut speaks_since = reaches_since.max(world.was_full_until());
        if let Some(at) = process.went_on_at() {
            speaks_since = speaks_since.max(at);
        }
        let silence = TimeDelta::from_std(SILENCE).unwrap_or_default();
        if world.time.truth() - speaks_since > silence {
            self.broken(Rule::TakenFromLiving, &format!("from P{silent}"));
        }
    }
}
