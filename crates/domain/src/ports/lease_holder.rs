//! Who has the sign-in lease.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::expiry::in_ist;

/// Who holds the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder {
    /// Its process.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Whether that is this very process. Not told by its number, which another machine, another container or an earlier
    /// process may have had.
    pub is_this_process: bool,
}

/// As people find it: `process 4711 on desk1, since 08:45:01 IST`.
impl fmt::Display for LeaseHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = in_ist(self.since).format("%H:%M:%S");
        write!(f, "process {} on {}, since {since} IST", self.pid, self.host)
    }
}
