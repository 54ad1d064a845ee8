//! The days of a chaos run: every clock is the harness's own, so that no budget and no 03:30 holds it up. Vega's and
//! Upstox's wall clocks go together; the time since boot only grows.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use vega_tests::{Desk, Upstox};

/// 03:30 UTC is 09:00 IST.
const MORNING: TimeDelta = TimeDelta::minutes(210);
/// 14:30 UTC is 20:00 IST.
const EVENING: TimeDelta = TimeDelta::minutes(870);

/// Where the clocks stand, seen from the machine's.
pub(crate) struct Calendar {
    offset: TimeDelta,
    since_boot: TimeDelta,
}

impl Calendar {
    /// Nine in the morning in India.
    pub(crate) async fn of_a_morning(upstox: &Upstox, desk: &Desk) -> Result<Self> {
        let now = upstox.machine_time().await?;
        let calendar = Self {
            offset: next_midnight(now) + MORNING - now,
            since_boot: TimeDelta::zero(),
        };
        calendar.set(upstox, desk).await?;
        Ok(calendar)
    }

    /// Lets every token grow older than what Vega calls fresh, and asks about for 20 seconds before it is dead.
    pub(crate) async fn pass_two_minutes(&mut self, upstox: &Upstox, desk: &Desk) -> Result<()> {
        let minutes = TimeDelta::minutes(2);
        self.offset += minutes;
        self.since_boot += minutes;
        self.set(upstox, desk).await
    }

    /// Lets an OTP window pass. Returns whether a new day has come with it.
    pub(crate) async fn pass_a_window(&mut self, upstox: &Upstox, desk: &Desk) -> Result<bool> {
        let window = TimeDelta::seconds(11 * 60 + 1);
        self.offset += window;
        self.since_boot += window;
        let now = upstox.machine_time().await? + self.offset;
        if now < next_midnight(now) - TimeDelta::days(1) + EVENING {
            self.set(upstox, desk).await?;
            return Ok(false);
        }
        self.pass_the_night(upstox, desk).await?;
        Ok(true)
    }

    /// Lets the night pass: tokens die.
    pub(crate) async fn pass_the_night(&mut self, upstox: &Upstox, desk: &Desk) -> Result<()> {
        let now = upstox.machine_time().await? + self.offset;
        let night = next_midnight(now) + MORNING - now;
        self.offset += night;
        self.since_boot += night;
        self.set(upstox, desk).await
    }

    async fn set(&self, upstox: &Upstox, desk: &Desk) -> Result<()> {
        upstox.move_clock(self.offset).await?;
        desk.move_clock(self.offset)?;
        desk.move_boot_clock(self.since_boot)
    }
}

fn next_midnight(now: DateTime<Utc>) -> DateTime<Utc> {
    let tomorrow = now.date_naive() + TimeDelta::days(1);
    tomorrow.and_time(chrono::NaiveTime::MIN).and_utc()
}
