//! The lease of a desk with one machine: one process has its file locked, until it gives it back or dies. That of several machines is
//! `row_lease`'s.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use vega_domain::ports::{Clock, Lease, LeaseError, LeaseHolder, LoginLease, StoreError};

use crate::here::Here;
use crate::injected_defects::InjectedDefect;
use crate::locked::locked;
use crate::row_lease::RowLease;

/// The lease as this process asks for it.
pub(crate) fn lease(here: Here) -> Arc<dyn LoginLease> {
    if here.world.has_several_machines() {
        Arc::new(RowLease::new(here))
    } else {
        Arc::new(DeskLease { here })
    }
}

struct DeskLease {
    here: Here,
}

#[async_trait]
impl LoginLease for DeskLease {
    async fn acquire(&self) -> Result<Box<dyn Lease>, LeaseError> {
        let here = &self.here;
        here.point().await;
        let (machine, number) = (&here.process.machine, here.process.number);
        if here.is_injected(InjectedDefect::LeaseForAll) {
            *locked(&machine.file) = Some(number);
        } else if let Err(holder) = machine.lock_file(number) {
            here.tell(&format!("is told that P{holder} holds the lease"));
            return Err(LeaseError::Held(Some(named(here, holder))));
        }
        Ok(Box::new(Held(here.clone())))
    }

    async fn holder(&self) -> Result<Option<LeaseHolder>, StoreError> {
        let here = &self.here;
        here.point().await;
        let holder = *locked(&here.process.machine.file);
        Ok(holder.map(|number| named(here, number)))
    }

    async fn refuse_taken_over(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn named(here: &Here, number: u32) -> LeaseHolder {
    LeaseHolder {
        pid: number,
        host: "desk".into(),
        since: here.process.clock.now(),
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
        self.0.process.machine.unlock_file(self.0.process.number);
    }
}
