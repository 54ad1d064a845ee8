//! How long things may take. In one place, so that tests can hurry.

use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Timing {
    /// `current` waits so long for the first answer.
    pub(crate) first_answer: Duration,
    /// Until a connection is open.
    pub(crate) connect: Duration,
    /// Until an answer is there.
    pub(crate) answer: Duration,
    /// Until the answer to a report is there: Upstox is asked about a new token for 20 s.
    pub(crate) report: Duration,
    /// A stream of events without a byte for so long is broken: three heartbeats.
    pub(crate) idle: Duration,
    /// The first event comes at once; where it does not, the token is asked for without it.
    pub(crate) first_event: Duration,
    /// The ceilings of the pauses between attempts: the first, and the last.
    pub(crate) again: (Duration, Duration),
    /// The last one where the server refuses the program: only a human changes that.
    pub(crate) refused_again: Duration,
    /// The ceiling of the pause after the server ended the stream: all of its clients come back.
    pub(crate) after_clean_end: Duration,
    /// While there is no token, its cause is asked for again after so long; the cause may change without an event.
    pub(crate) cause_again: Duration,
    /// No `Retry-After` keeps a client away for longer.
    pub(crate) longest_retry_after: Duration,
    /// How often the clock is looked at.
    pub(crate) look_at_clock: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            first_answer: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(10),
            report: Duration::from_mins(1),
            idle: Duration::from_secs(45),
            first_event: Duration::from_secs(1),
            again: (Duration::from_millis(100), Duration::from_secs(5)),
            refused_again: Duration::from_secs(30),
            after_clean_end: Duration::from_secs(1),
            cause_again: Duration::from_mins(1),
            longest_retry_after: Duration::from_mins(1),
            look_at_clock: Duration::from_millis(250),
        }
    }
}
