//! What is drawn for a desk with several machines: on which one a process runs, who is held up and for how long, which machine is cut
//! off from the database, whose clock is set. A desk with one machine draws none of it.

use std::time::Duration;

use chrono::TimeDelta;

use super::{Draw, HOUR, ScheduledEvent};
use crate::process::{Fate, Manner};
use crate::process_session::{Generate, Task};

impl Draw<'_> {
    pub(super) fn machine(&self) -> usize {
        self.one_of(self.machines)
    }

    /// The number of a clock: of a machine, or of the database that several share.
    pub(super) fn clock(&self) -> usize {
        self.one_of(if self.machines > 1 { self.machines + 1 } else { 1 })
    }

    fn one_of(&self, several: usize) -> usize {
        let last = u32::try_from(several.saturating_sub(1)).unwrap_or_default();
        match last {
            0 => 0,
            last => self.rng.between(0..=last) as usize,
        }
    }

    /// Shorter than it takes to be taken over, about as long, or far longer.
    pub(super) fn held_up(&self) -> Option<(u32, Duration)> {
        if self.machines == 1 || !self.rng.permille(500) {
            return None;
        }
        let (from, to) = *self.rng.pick(&[(3, 12), (16, 60), (16, 60), (40, 300)]);
        Some((self.rng.between(0..=90), self.rng.seconds(from..=to)))
    }

    /// Somebody goes on elsewhere while one machine is cut off or a process stands still; clocks differ.
    pub(super) fn several_machines(&mut self, morning: u32) {
        let rng = self.rng;
        for machine in 0..self.machines {
            if rng.permille(300) {
                let at = self.at(0, morning);
                let off = self.off();
                self.add(at, ScheduledEvent::SetClock(machine, off));
            }
            for _ in 0..rng.between(1..=3) {
                let longest = *rng.pick(&[20, 60, 400]);
                let (begins, ends) = (
                    ScheduledEvent::CutOff(machine, true),
                    ScheduledEvent::CutOff(machine, false),
                );
                self.for_a_while(morning, longest, begins, ends);
            }
        }
        // Servers take over from whoever is silent, without being asked.
        for _ in 0..rng.between(1..=2) {
            let requests = (0..rng.between(1..=3))
                .map(|_| (self.at(300, 1800), self.generate()))
                .collect();
            let at = self.at(morning.saturating_sub(900), morning);
            let (manner, fate) = (self.manner(), self.fate());
            self.starts(at, manner, fate, Task::Serve(requests));
        }
        if rng.permille(300) {
            self.presses(morning);
        }
    }

    /// Up to three hours, mostly minutes.
    fn off(&self) -> TimeDelta {
        let longest = *self.rng.pick(&[10, 900, 900, 3 * HOUR]);
        let off = TimeDelta::from_std(self.at(0, longest)).unwrap_or_default();
        if self.rng.permille(500) { off } else { -off }
    }

    /// As many presses as there may be, and more, on one machine and on another one.
    fn presses(&mut self, morning: u32) {
        let mut at = self.at(morning, morning + 2 * HOUR);
        for _ in 0..self.rng.between(4..=7) {
            let wanted = Generate {
                force: true,
                leaves: true,
                stopped_after: Some(self.rng.seconds(15..=60)),
                ..Generate::default()
            };
            self.starts(at, Manner::Terminal, Fate::default(), Task::Generate(wanted));
            at += self.rng.seconds(65..=130);
        }
    }
}
