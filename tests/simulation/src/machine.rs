//! One machine of a desk: its clock, the file that its processes lock, and whether it reaches the database. A desk has one machine
//! with the database on its disk, or several that share a database. Decides nothing of what its processes do.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};

use crate::locked::locked;
use crate::machine_time::MachineTime;

struct Reach {
    is_cut_off: bool,
    since: DateTime<Utc>,
}

/// One machine.
pub(crate) struct Machine {
    /// Counted from 0.
    pub(crate) number: usize,
    pub(crate) time: Arc<MachineTime>,
    /// The process that has the file of the lease locked: one window, one folder of profiles.
    pub(crate) file: Mutex<Option<u32>>,
    reach: Mutex<Reach>,
}

impl Machine {
    pub(crate) fn new(number: usize, time: Arc<MachineTime>) -> Self {
        let since = time.truth();
        Self {
            number,
            time,
            file: Mutex::default(),
            reach: Mutex::new(Reach {
                is_cut_off: false,
                since,
            }),
        }
    }

    /// Cuts it off from the database, or ends that.
    pub(crate) fn cut_off(&self, is_cut_off: bool) {
        let since = self.time.truth();
        let mut reach = locked(&self.reach);
        if reach.is_cut_off != is_cut_off {
            *reach = Reach { is_cut_off, since };
        }
    }

    pub(crate) fn is_cut_off(&self) -> bool {
        locked(&self.reach).is_cut_off
    }

    /// Since when it has reached the database, if it does.
    pub(crate) fn reaches_since(&self) -> Option<DateTime<Utc>> {
        let reach = locked(&self.reach);
        (!reach.is_cut_off).then_some(reach.since)
    }

    /// Locks the file for this process, unless another one has it.
    pub(crate) fn lock_file(&self, process: u32) -> Result<(), u32> {
        let mut file = locked(&self.file);
        if let Some(holder) = *file {
            return Err(holder);
        }
        *file = Some(process);
        Ok(())
    }

    /// The file is free again, if this process had it.
    pub(crate) fn unlock_file(&self, process: u32) {
        let mut file = locked(&self.file);
        if *file == Some(process) {
            *file = None;
        }
    }
}
