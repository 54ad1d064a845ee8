//! The two clocks of tests: one that stands until it is set, and one that goes with tokio's time, which a test can pause.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use vega_domain::ports::Clock;

/// Stands at one time until it is set.
pub struct TestClock(AtomicI64);

impl TestClock {
    /// It is this time.
    pub fn at(now: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now.timestamp_micros())))
    }

    /// It is this time from now on.
    pub fn set(&self, now: DateTime<Utc>) {
        self.0.store(now.timestamp_micros(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// Goes on as tokio's time does.
pub struct PausedClock {
    began: Instant,
    at: Mutex<DateTime<Utc>>,
}

impl PausedClock {
    /// It is this time now.
    pub fn at(now: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            at: Mutex::new(now),
        })
    }

    /// It is this time now, and goes on from here.
    pub fn set(&self, now: DateTime<Utc>) {
        *self.at.lock().unwrap() = now - self.elapsed();
    }

    fn elapsed(&self) -> TimeDelta {
        TimeDelta::from_std(self.began.elapsed()).unwrap()
    }
}

impl Clock for PausedClock {
    fn now(&self) -> DateTime<Utc> {
        let now = *self.at.lock().unwrap() + self.elapsed();
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap()
    }
}
