//! The system's clocks. No other code reads the time.

use chrono::{DateTime, SubsecRound, Utc};
use vega_domain::clock_reading::SinceBoot;
use vega_domain::ports::Clock;

/// The system's time, cut to microseconds so that a stored time reads back equal, and the time since boot.
#[derive(Debug, Clone)]
pub struct SystemClock {
    /// The identity of this boot, if the system provides one.
    boot: Option<String>,
}

impl SystemClock {
    /// Reads the identity of this boot once.
    pub fn new() -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        Self {
            boot: boot.map(|id| id.trim().to_owned()),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the home of the system's time")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }

    #[cfg(target_os = "linux")]
    fn coarse_micros(&self) -> i64 {
        match nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME_COARSE) {
            Ok(time) => time.tv_sec() * 1_000_000 + time.tv_nsec() / 1_000,
            Err(_) => self.now().timestamp_micros(),
        }
    }

    #[cfg(target_os = "linux")]
    fn since_boot(&self) -> Option<SinceBoot> {
        let elapsed = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).ok()?;
        Some(SinceBoot {
            boot: self.boot.clone()?,
            elapsed: elapsed.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_has_no_part_finer_than_a_microsecond() {
        let clock = SystemClock::new();
        for _ in 0..100 {
            assert_eq!(clock.now().timestamp_subsec_nanos() % 1_000, 0);
        }
    }

    /// How late it is depends on the machine; that it is never early does not.
    #[test]
    fn the_coarse_time_is_the_time_or_a_little_earlier() {
        let clock = SystemClock::new();
        for _ in 0..100 {
            let before = clock.coarse_micros();
            let now = clock.now().timestamp_micros();
            assert!(before <= now && now - before < 5_000_000, "{before} {now}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_time_since_boot_runs_on_and_names_its_boot() {
        let (first, other) = (SystemClock::new(), SystemClock::new());
        let (earlier, later) = (first.since_boot().unwrap(), other.since_boot().unwrap());
        assert_eq!(earlier.boot, later.boot);
        assert!(earlier.elapsed <= later.elapsed && !earlier.elapsed.is_zero());
    }
}
