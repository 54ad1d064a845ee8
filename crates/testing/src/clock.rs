//! A clock that stands until a test sets it.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use vega_domain::ports::Clock;

/// Stands at one time.
pub struct TestClock(Mutex<DateTime<Utc>>);

impl TestClock {
    /// It is this time.
    pub fn at(now: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(now)))
    }

    /// It is this time from now on.
    pub fn set(&self, now: DateTime<Utc>) {
        *self.0.lock().unwrap() = now;
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}
