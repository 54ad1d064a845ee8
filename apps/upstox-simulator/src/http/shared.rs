//! The state that all handlers share: the clock and the world.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use chrono::{DateTime, Utc};

use crate::{clock::Clock, model::world::World, seed::Seed};

/// What every handler reaches: the clock and the world behind its lock. The lock is never held across an await.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) clock: Clock,
    world: Mutex<World>,
}

impl Shared {
    pub(crate) fn new(seed: Seed) -> Shared {
        Shared {
            clock: Clock::default(),
            world: Mutex::new(World::of(seed)),
        }
    }

    /// A handler that panicked must not take the rest of the simulator with it.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

pub(super) type AppState = State<Arc<Shared>>;
