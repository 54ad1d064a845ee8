//! The world as one process meets it. It can die at every point at which it waits for the outside: whatever it waited for then
//! never comes, so nothing of it goes on, and only what is on disk or at Upstox survives. It can be held up there, too, and go on later.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, sleep_until};
use vega_domain::ids::ApiName;
use vega_testing::memory_store::TokenRow;

use crate::injected_defects::InjectedDefect;
use crate::process::{Fate, Manner, Process};
use crate::rules::Rule;
use crate::world::World;

/// What every adapter holds.
#[derive(Clone)]
pub(crate) struct Here {
    pub(crate) world: Arc<World>,
    pub(crate) process: Arc<Process>,
}

impl Here {
    /// A new process on this machine.
    pub(crate) fn starting(world: &Arc<World>, machine: usize, manner: Manner, fate: Fate) -> Self {
        let machine = Arc::clone(&world.machines[machine]);
        let process = Arc::new(Process::starting(world.next_number(), machine, manner, fate));
        world.begins(&process);
        Self {
            world: Arc::clone(world),
            process,
        }
    }

    /// A point at which the process may die, or be held up; everything is looked at.
    pub(crate) async fn point(&self) {
        // What comes back to one that stands still waits there.
        self.stay().await;
        if !self.process.is_gone() {
            self.world.look();
            if let Some(length) = self.process.is_stopped_here() {
                self.tell(&format!("is held up for {} s", length.as_secs()));
                self.process.hold_up(length);
            }
            if self.process.is_last_point() {
                self.world.dies(&self.process, "is killed");
            }
        }
        self.stay().await;
    }

    /// Nothing comes back to a dead process, and to one that is held up only when it goes on.
    pub(crate) async fn stay(&self) {
        while let Some(until) = self.process.stands_until() {
            sleep_until(until).await;
        }
        if self.process.is_gone() {
            pending::<()>().await;
        }
    }

    pub(crate) async fn rest(&self, length: Duration) {
        sleep(length).await;
        self.stay().await;
    }

    /// The newest token that this process can read.
    pub(crate) fn newest_token(&self, api: &ApiName) -> Option<TokenRow> {
        self.world.disk.newest_token(self.process.machine.number, api)
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
