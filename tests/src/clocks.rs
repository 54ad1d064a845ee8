//! One time for everybody: Upstox's clock and the desk's move together.

use anyhow::{Context, Result};
use chrono::{DateTime, Days, Utc};

use crate::desk::Desk;
use crate::upstox::Upstox;

/// Moves both clocks to a time of a later day, in UTC: India's 03:25 of the day after is 21:55. Needs test hooks.
pub async fn it_is(days_from_now: u64, utc: (u32, u32, u32), upstox: &Upstox, desk: &Desk) -> Result<()> {
    let now = upstox.machine_time().await?;
    let (hour, minute, second) = utc;
    let day = now.date_naive().checked_add_days(Days::new(days_from_now));
    let then: DateTime<Utc> = day
        .and_then(|day| day.and_hms_opt(hour, minute, second))
        .context("a time")?
        .and_utc();
    upstox.move_clock(then - now).await?;
    desk.move_clock(then - now)
}
