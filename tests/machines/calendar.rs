//! The days of a run: Upstox's clock and what both machines add to the database's time move together; the time since boot only grows. So no
//! budget and no 03:30 holds a run up. How wrong a machine's own clock is, is no matter of the calendar.

use anyhow::Result;
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use vega_tests::{Desk, Upstox};

/// 03:30 UTC is 09:00 IST.
const MORNING: TimeDelta = TimeDelta::minutes(210);
/// 14:30 UTC is 20:00 IST.
const EVENING: TimeDelta = TimeDelta::minutes(870);
/// An OTP window, and a little.
const WINDOW: TimeDelta = TimeDelta::seconds(11 * 60 + 1);

/// Where the clocks stand, seen from this computer's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Calendar {
    offset: TimeDelta,
    since_boot: TimeDelta,
}

impl Calendar {
    /// Nine in the morning in India.
    pub(crate) async fn of_a_morning(upstox: &Upstox, desks: [&Desk; 2]) -> Result<Self> {
        let now = upstox.machine_time().await?;
        let calendar = Self {
            offset: next_midnight(now) + MORNING - now,
            since_boot: TimeDelta::zero(),
        };
        calendar.set(upstox, desks).await?;
        Ok(calendar)
    }

    /// The time on these days.
    pub(crate) async fn now(&self, upstox: &Upstox) -> Result<DateTime<Utc>> {
        Ok(upstox.machine_time().await? + self.offset)
    }

    /// Lets so much time pass.
    pub(crate) async fn pass(&mut self, by: TimeDelta, upstox: &Upstox, desks: [&Desk; 2]) -> Result<()> {
        self.offset += by;
        self.since_boot += by;
        self.set(upstox, desks).await
    }

    /// Lets an OTP window pass. Returns whether a new day has come with it, and all tokens are dead.
    pub(crate) async fn pass_a_window(&mut self, upstox: &Upstox, desks: [&Desk; 2]) -> Result<bool> {
        let now = self.now(upstox).await? + WINDOW;
        let midnight = next_midnight(now);
        let is_evening = now >= midnight - TimeDelta::days(1) + EVENING;
        let by = if is_evening {
            midnight + MORNING - now + WINDOW
        } else {
            WINDOW
        };
        self.pass(by, upstox, desks).await?;
        Ok(is_evening)
    }

    async fn set(&self, upstox: &Upstox, desks: [&Desk; 2]) -> Result<()> {
        upstox.move_clock(self.offset).await?;
        for desk in desks {
            desk.move_clock(self.offset)?;
            desk.move_boot_clock(self.since_boot)?;
        }
        Ok(())
    }
}

fn next_midnight(now: DateTime<Utc>) -> DateTime<Utc> {
    let tomorrow = now.date_naive() + TimeDelta::days(1);
    tomorrow.and_time(NaiveTime::MIN).and_utc()
}
