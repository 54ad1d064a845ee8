//! A `ClockReading` as three columns: the wall clock's time, and, where the system has one, the boot and the time since it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use vega_domain::clock_reading::{ClockReading, SinceBoot};

/// The values of `boot` and `since_boot_ms`.
pub(crate) fn since_boot(moment: &ClockReading) -> (Option<&str>, Option<i64>) {
    let since_boot = moment.since_boot.as_ref();
    let millis = |since: &SinceBoot| i64::try_from(since.elapsed.as_millis()).unwrap_or(i64::MAX);
    (
        since_boot.map(|since| since.boot.as_str()),
        since_boot.map(millis),
    )
}

/// The moment that the three columns tell.
pub(crate) fn moment(at: DateTime<Utc>, boot: Option<String>, since_boot_ms: Option<i64>) -> ClockReading {
    let since_boot = boot.zip(since_boot_ms).map(|(boot, millis)| SinceBoot {
        boot,
        elapsed: Duration::from_millis(u64::try_from(millis).unwrap_or_default()),
    });
    ClockReading { at, since_boot }
}
