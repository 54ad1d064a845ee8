//! The lease of several machines as it lies in their database: a row with an epoch that is used once and a heartbeat, and what one
//! process saw of it. Decides who is taken over and who counts as silent; who asks for the lease is `row_lease`'s.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// So long nothing is heard of a holder before it counts as dead.
pub(crate) const SILENCE: Duration = Duration::from_secs(15);
/// Looks that are further apart prove no silence: the database may have been away.
const LOOKS_APART: Duration = Duration::from_secs(3);

/// The row, with the epoch in force.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LeaseRow {
    /// 0 before anybody had it.
    pub(crate) epoch: u32,
    pub(crate) heartbeat: u32,
    /// The process that has it, until it gives it back.
    pub(crate) holder: Option<u32>,
    /// When the holder's machine said that it spoke last; nothing but an injected defect looks at it.
    pub(crate) spoke_at: Option<DateTime<Utc>>,
}

/// A holder of the lease as one process saw it: the same from the first of these looks to the last one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard {
    epoch: u32,
    heartbeat: u32,
    first: Instant,
    last: Instant,
    /// When it last said something while it was looked at.
    spoke: Option<Instant>,
}

impl Heard {
    /// After one more look. `None` where nobody has the lease.
    pub(crate) fn now(row: &LeaseRow, before: Option<Self>) -> Option<Self> {
        row.holder?;
        let now = Instant::now();
        let before = before.filter(|before| before.epoch == row.epoch);
        let same =
            before.filter(|before| before.heartbeat == row.heartbeat && now - before.last <= LOOKS_APART);
        let spoke = match before {
            Some(before) if before.heartbeat != row.heartbeat => Some(now),
            before => before.and_then(|before| before.spoke),
        };
        Some(Self {
            epoch: row.epoch,
            heartbeat: row.heartbeat,
            first: same.map_or(now, |same| same.first),
            last: now,
            spoke,
        })
    }

    /// Whether nothing was heard of this holder for so long that it counts as dead.
    pub(crate) fn is_silent(&self, row: &LeaseRow) -> bool {
        (self.epoch, self.heartbeat) == (row.epoch, row.heartbeat) && self.last - self.first >= SILENCE
    }

    /// Whether this holder said something within so long.
    pub(crate) fn spoke_within(&self, row: &LeaseRow, time: Duration) -> bool {
        self.epoch == row.epoch && self.spoke.is_some_and(|spoke| spoke.elapsed() <= time)
    }
}
