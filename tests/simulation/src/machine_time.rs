//! The true time, which is Upstox's, and the time that one computer shows: somebody sets its wall clock, and it may be
//! started anew. Both follow tokio's paused time. Where machines share a database, its computer has a time of its own.

use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use vega_domain::clock_reading::{ClockReading, SinceBoot};
use vega_domain::ports::Clock;

use crate::locked::locked;

struct Computer {
    /// How far the wall clock is ahead of the truth.
    ahead: TimeDelta,
    boot: u32,
    booted: Instant,
    set_at: Option<DateTime<Utc>>,
    booted_at: Option<DateTime<Utc>>,
}

/// The clocks of one computer.
pub(crate) struct MachineTime {
    /// Boots of two computers are never the same.
    name: String,
    start: DateTime<Utc>,
    began: Instant,
    computer: Mutex<Computer>,
}

impl MachineTime {
    pub(crate) fn beginning_at(name: impl Into<String>, start: DateTime<Utc>) -> Self {
        let began = Instant::now();
        Self {
            name: name.into(),
            start,
            began,
            computer: Mutex::new(Computer {
                ahead: TimeDelta::zero(),
                boot: 1,
                booted: began,
                set_at: None,
                booted_at: None,
            }),
        }
    }

    /// The time that nobody sets.
    pub(crate) fn truth(&self) -> DateTime<Utc> {
        self.start + TimeDelta::from_std(self.began.elapsed()).unwrap_or_default()
    }

    /// When it will be this time in truth.
    pub(crate) fn instant(&self, truth: DateTime<Utc>) -> Instant {
        self.began + (truth - self.start).to_std().unwrap_or_default()
    }

    /// Sets the wall clock.
    pub(crate) fn set_ahead(&self, ahead: TimeDelta) {
        let now = self.truth();
        let mut computer = locked(&self.computer);
        computer.ahead = ahead;
        computer.set_at = Some(now);
    }

    pub(crate) fn start_anew(&self) {
        let now = self.truth();
        let mut computer = locked(&self.computer);
        computer.boot += 1;
        computer.booted = Instant::now();
        computer.booted_at = Some(now);
    }

    /// Whether the wall clock shows the truth, nearly.
    pub(crate) fn is_right(&self) -> bool {
        locked(&self.computer).ahead.abs() < TimeDelta::seconds(60)
    }

    /// Whether the clock was set within the last so long.
    pub(crate) fn was_set_within(&self, length: TimeDelta) -> bool {
        let now = self.truth();
        let set_at = locked(&self.computer).set_at;
        set_at.is_some_and(|at| now - at < length)
    }

    /// Whether the clock was set since then.
    pub(crate) fn was_set_since(&self, since: DateTime<Utc>) -> bool {
        locked(&self.computer).set_at.is_some_and(|at| at >= since)
    }

    /// Whether nothing on this computer can tell how long `since` is ago: it was started anew since, and the clock that
    /// would tell is not the same any more.
    pub(crate) fn lost_count_of(&self, since: DateTime<Utc>) -> bool {
        let computer = locked(&self.computer);
        computer.booted_at.is_some_and(|at| at >= since) && computer.set_at.is_some_and(|at| at >= since)
    }
}

impl Clock for MachineTime {
    fn now(&self) -> DateTime<Utc> {
        let ahead = locked(&self.computer).ahead;
        self.truth() + ahead
    }

    fn since_boot(&self) -> Option<SinceBoot> {
        let computer = locked(&self.computer);
        Some(SinceBoot {
            boot: format!("{}-{}", self.name, computer.boot),
            elapsed: computer.booted.elapsed(),
        })
    }

    fn reading(&self) -> ClockReading {
        ClockReading {
            at: self.now(),
            since_boot: self.since_boot(),
        }
    }
}
