//! The lease of several machines as one process asks for it and holds it, in the steps of the product's `RowLoginLease`: the machine's
//! file, then listening to the holder, then the row. What the row says is `lease_row`'s to decide, and the writes' to compare.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::{AuditTrail, Clock, Lease, LeaseError, LeaseHolder, LoginLease, StoreError};

use crate::fault_state::Storage;
use crate::here::Here;
use crate::injected_defects::InjectedDefect;
use crate::lease_row::{LeaseRow, SILENCE};
use crate::locked::locked;
use crate::process::Process;
use crate::store::away;

/// So often a holder says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// While a holder is listened to.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const COMMIT: Duration = Duration::from_millis(3);

pub(crate) struct RowLease {
    here: Here,
}

impl RowLease {
    pub(crate) fn new(here: Here) -> Self {
        Self { here }
    }

    fn row(&self) -> LeaseRow {
        *locked(&self.here.world.row)
    }

    fn is_silent(&self, row: &LeaseRow) -> bool {
        if self.here.is_injected(InjectedDefect::LeaseByWallClock) {
            let silence = row.spoke_at.map(|at| self.here.process.machine.time.now() - at);
            return silence.and_then(|silence| silence.to_std().ok()) >= Some(SILENCE);
        }
        let heard = locked(&self.here.process.heard);
        heard.is_some_and(|heard| heard.is_silent(row))
    }

    fn spoke_just_now(&self, row: &LeaseRow) -> bool {
        let heard = locked(&self.here.process.heard);
        heard.is_some_and(|heard| heard.spoke_within(row, 2 * HEARTBEAT))
    }

    fn named(&self, holder: u32) -> LeaseHolder {
        LeaseHolder {
            pid: holder,
            host: "machine".into(),
            since: self.here.process.clock.now(),
            is_this_process: holder == self.here.process.number,
        }
    }

    /// Listens to whoever has the lease until he says something, or counts as dead.
    async fn hear_the_holder(&self) -> Result<(), StoreError> {
        loop {
            if !self.here.look_at_database() {
                return Err(away());
            }
            let row = self.row();
            if row.holder.is_none() || self.is_silent(&row) || self.spoke_just_now(&row) {
                return Ok(());
            }
            self.here.rest(LOOK_AGAIN).await;
        }
    }

    /// The epoch under which this process has the lease now, or who has it.
    async fn take(&self) -> Result<Result<u32, u32>, StoreError> {
        let here = &self.here;
        here.point().await;
        here.rest(COMMIT).await;
        if !here.is_answered() || here.world.faults().storage != Storage::Works {
            return Err(away());
        }
        let before = self.row();
        if let Some(holder) = before.holder.filter(|_| !self.is_silent(&before)) {
            return Ok(Err(holder));
        }
        let epoch = before.epoch + 1;
        *locked(&here.world.row) = LeaseRow {
            epoch,
            heartbeat: 0,
            holder: Some(here.process.number),
            spoke_at: Some(here.process.machine.time.now()),
        };
        if let Some(silent) = before.holder {
            here.tell(&format!("takes the lease from P{silent}, which is silent"));
            here.check_taken_from(silent, before.epoch);
            let words = format!("process {silent} was silent");
            let entry = AuditEntry::new(here.process.clock.now(), AuditKind::LeaseTakenOver, words);
            here.world.disk.memory.append(&entry).await?;
        }
        here.process.has_lease(epoch);
        Ok(Ok(epoch))
    }
}

#[async_trait]
impl LoginLease for RowLease {
    async fn acquire(&self) -> Result<Box<dyn Lease>, LeaseError> {
        let here = &self.here;
        here.point().await;
        let number = here.process.number;
        if let Err(holder) = here.process.machine.lock_file(number) {
            here.tell(&format!("finds the file of its machine with P{holder}"));
            return Err(LeaseError::Held(
                self.row().holder.map(|holder| self.named(holder)),
            ));
        }
        let file = FileLock(Arc::clone(&here.process));
        self.hear_the_holder().await?;
        match self.take().await? {
            Err(holder) => {
                here.tell(&format!("is told that P{holder} holds the lease"));
                Err(LeaseError::Held(Some(self.named(holder))))
            }
            Ok(epoch) => {
                let held = HeldRow::begin(here.clone(), epoch, file);
                here.point().await;
                Ok(Box::new(held))
            }
        }
    }

    async fn holder(&self) -> Result<Option<LeaseHolder>, StoreError> {
        self.here.point().await;
        if !self.here.is_answered() {
            return Err(away());
        }
        let row = self.row();
        let holder = row.holder.filter(|_| !self.is_silent(&row));
        Ok(holder.map(|holder| self.named(holder)))
    }

    async fn refuse_taken_over(&self) -> Result<(), StoreError> {
        self.here.point().await;
        if !self.here.is_answered() {
            return Err(away());
        }
        let row = self.row();
        if self.here.process.epoch() == Some(row.epoch) {
            return Ok(());
        }
        Err(StoreError::TakenOver(row.holder.map(|holder| self.named(holder))))
    }
}

/// The file of the machine, until this is dropped. A dead process has lost it already.
struct FileLock(Arc<Process>);

impl Drop for FileLock {
    fn drop(&mut self) {
        if !self.0.is_gone() {
            self.0.machine.unlock_file(self.0.number);
        }
    }
}

/// The held lease. Dropping it gives it back, where the database can be reached.
struct HeldRow {
    here: Here,
    epoch: u32,
    lost: watch::Receiver<bool>,
    _heartbeat: AbortOnDropHandle<()>,
    _file: FileLock,
}

impl HeldRow {
    fn begin(here: Here, epoch: u32, file: FileLock) -> Self {
        let (loses, lost) = watch::channel(false);
        let heartbeat = tokio::spawn(beat(here.clone(), epoch, loses));
        Self {
            here,
            epoch,
            lost,
            _heartbeat: AbortOnDropHandle::new(heartbeat),
            _file: file,
        }
    }
}

impl fmt::Debug for HeldRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldRow")
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Lease for HeldRow {
    async fn lost(&self) {
        let mut lost = self.lost.clone();
        if lost.wait_for(|lost| *lost).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for HeldRow {
    fn drop(&mut self) {
        let here = &self.here;
        if here.process.is_gone() {
            return;
        }
        here.process.has_lease(0);
        let mut row = locked(&here.world.row);
        if row.epoch == self.epoch && here.is_answered() {
            row.holder = None;
        }
    }
}

/// Says again and again that the holder lives, until somebody else has the lease.
async fn beat(here: Here, epoch: u32, loses: watch::Sender<bool>) {
    let mut ticks = interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        here.stay().await;
        // Who cannot say it has not lost the lease: another one's writes would tell.
        if !here.is_answered() || here.world.faults().storage != Storage::Works {
            continue;
        }
        let mut row = locked(&here.world.row);
        if row.epoch != epoch {
            drop(row);
            here.tell("hears that another one has the lease");
            loses.send_replace(true);
            return;
        }
        row.heartbeat += 1;
        row.spoke_at = Some(here.process.machine.time.now());
    }
}
