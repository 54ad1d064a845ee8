//! What a process of several machines asks the database each second: the time, and who has the lease. A process that is held up or
//! cut off asks nothing meanwhile. In a desk with one machine nobody asks.

use std::time::Duration;

use crate::fault_state::Storage;
use crate::here::Here;
use crate::lease_row::Heard;
use crate::locked::locked;

const EVERY: Duration = Duration::from_secs(1);

impl Here {
    /// Whether the database would answer this process now.
    pub(crate) fn is_answered(&self) -> bool {
        !self.process.machine.is_cut_off() && self.world.faults().storage != Storage::Fails
    }

    /// One look. Returns whether the database answered.
    pub(crate) fn look_at_database(&self) -> bool {
        if !self.is_answered() {
            return false;
        }
        let process = &self.process;
        process.clock.measure(&self.world.time);
        let row = *locked(&self.world.row);
        let mut heard = locked(&process.heard);
        *heard = Heard::now(&row, *heard);
        true
    }

    /// Looks again and again, for as long as the process lives.
    pub(crate) async fn go_on_looking(self) {
        while !self.process.is_gone() {
            self.look_at_database();
            self.rest(EVERY).await;
        }
    }
}
