//! Between 03:20 and 03:31 IST Vega signs in for nothing, and tokens die in the middle of it. What plays sign-ins with
//! the real clock waits until that is over, each stage by itself: together they wait no longer than the longest. Stories in
//! Rust wait by themselves.

use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::shell::step;

const DAY: u64 = 24 * 60 * 60;
/// 03:20 IST is 21:50 UTC.
const CLOSE: u64 = (21 * 60 + 50) * 60;
/// 03:31 IST, and a little.
const OPEN: u64 = (22 * 60 + 1) * 60 + 5;

/// Returns when work of this length can be done before sign-ins close.
#[expect(
    clippy::disallowed_methods,
    reason = "xtask has no Clock port, and stories run by the real clock"
)]
pub(crate) fn wait_for(length: Duration) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let wait = wait_at(now.as_secs() % DAY, length.as_secs());
    if wait > 0 {
        step(&format!(
            "sign-ins are closed around 03:30 IST; waiting {} min until 03:31",
            wait.div_ceil(60)
        ));
        sleep(Duration::from_secs(wait));
    }
}

/// Seconds to wait at this second of the UTC day.
fn wait_at(second: u64, length: u64) -> u64 {
    if (CLOSE - length..OPEN).contains(&second) {
        OPEN - second
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::by_day(8 * 3600, 0)]
    #[case::in_time(CLOSE - 301, 0)]
    #[case::too_late(CLOSE - 300, 300 + 665)]
    #[case::just_before_it_opens(OPEN - 1, 1)]
    #[case::open(OPEN, 0)]
    fn work_is_done_before_sign_ins_close_or_after_they_open(#[case] second: u64, #[case] wait: u64) {
        assert_eq!(wait_at(second, 300), wait);
    }
}
