//! The lease: one process has it, until it gives it back or dies.

use std::fmt;

use async_trait::async_trait;
use vega_domain::ports::{Clock, Lease, LeaseError, LeaseHolder, LoginLease, StoreError};

use crate::here::Here;
use crate::injected_defects::InjectedDefect;
use crate::locked::locked;

pub(crate) struct DeskLease {
    here: Here,
}

impl DeskLease {
    pub(crate) fn new(here: Here) -> Self {
        Self { here }
    }
}

#[async_trait]
impl LoginLease for DeskLease {
    async fn acquire(&self) -> Result<Box<dyn Lease>, LeaseError> {
        let here = &self.here;
        here.point().await;
        let number = here.process.number;
        let holder = *locked(&here.world.lease);
        if let Some(holder) = holder.filter(|_| !here.is_injected(InjectedDefect::LeaseForAll)) {
            here.tell(&format!("is told that P{holder} holds the lease"));
            return Err(LeaseError::Held(Some(named(here, holder))));
        }
        *locked(&here.world.lease) = Some(number);
        Ok(Box::new(Held(here.clone())))
    }

    async fn holder(&self) -> Result<Option<LeaseHolder>, StoreError> {
        let here = &self.here;
        here.point().await;
        let holder = *locked(&here.world.lease);
        Ok(holder.map(|number| named(here, number)))
    }
}

fn named(here: &Here, number: u32) -> LeaseHolder {
    LeaseHolder {
        pid: number,
        host: "desk".into(),
        since: here.world.time.now(),
        is_this_process: number == here.process.number,
    }
}

struct Held(Here);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

impl Lease for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        let mut lease = locked(&self.0.world.lease);
        if *lease == Some(self.0.process.number) {
            *lease = None;
        }
    }
}
