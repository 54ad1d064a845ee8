//! The time as one process has it: its machine's, and where several machines share a database, that plus what the process measured
//! last against the database's clock. So a machine's clock that is set is wrong here until the next measure, as in the product.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::clock_reading::{ClockReading, SinceBoot};
use vega_domain::ports::Clock;

use crate::locked::locked;
use crate::machine_time::MachineTime;

#[derive(Default)]
struct Measured {
    /// How far the database's clock is ahead of the machine's.
    offset: TimeDelta,
    /// When that was another one than before.
    changed_at: Option<DateTime<Utc>>,
}

/// The clock of one process.
pub(crate) struct ProcessClock {
    machine: Arc<MachineTime>,
    measured: Mutex<Measured>,
}

impl ProcessClock {
    pub(crate) fn over(machine: Arc<MachineTime>) -> Self {
        Self {
            machine,
            measured: Mutex::default(),
        }
    }

    /// Measures against the database's clock.
    pub(crate) fn measure(&self, database: &MachineTime) {
        let offset = database.now() - self.machine.now();
        let mut measured = locked(&self.measured);
        if measured.offset != offset {
            *measured = Measured {
                offset,
                changed_at: Some(self.machine.truth()),
            };
        }
    }

    /// Whether it shows the truth, nearly.
    pub(crate) fn is_right(&self) -> bool {
        (self.now() - self.machine.truth()).abs() < TimeDelta::seconds(60)
    }

    /// Whether it was set, or measured anew, within the last so long.
    pub(crate) fn was_set_within(&self, length: TimeDelta) -> bool {
        let changed_at = locked(&self.measured).changed_at;
        let is_measured = changed_at.is_some_and(|at| self.machine.truth() - at < length);
        is_measured || self.machine.was_set_within(length)
    }
}

impl Clock for ProcessClock {
    fn now(&self) -> DateTime<Utc> {
        self.machine.now() + locked(&self.measured).offset
    }

    fn since_boot(&self) -> Option<SinceBoot> {
        self.machine.since_boot()
    }

    fn reading(&self) -> ClockReading {
        ClockReading {
            at: self.now(),
            since_boot: self.since_boot(),
        }
    }
}
