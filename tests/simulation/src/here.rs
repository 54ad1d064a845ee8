//! The world as one process meets it. It can die at every point at which it waits for the outside: whatever it waited for then
//! never comes, so nothing of it goes on, and only what is on disk or at Upstox survives.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::injected_defects::InjectedDefect;
use crate::process::{Manner, Process};
use crate::rules::Rule;
use crate::world::World;

/// What every adapter holds.
#[derive(Clone)]
pub(crate) struct Here {
    pub(crate) world: Arc<World>,
    pub(crate) process: Arc<Process>,
}

impl Here {
    /// A new process.
    pub(crate) fn starting(world: &Arc<World>, manner: Manner, dies_after: Option<u32>) -> Self {
        let process = Arc::new(Process::starting(world.next_number(), manner, dies_after));
        world.begins(&process);
        Self {
            world: Arc::clone(world),
            process,
        }
    }

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
