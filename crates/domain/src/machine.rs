//! The machines that share a database, as each of them told of itself; where one machine has the database, that one.

use chrono::{DateTime, Utc};

use crate::ports::LeaseHolder;

/// A machine, as it said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// What tells it from every other one, whatever it is called; `None` where there is no other one.
    pub id: Option<String>,
    /// Its host name; where several have the same one, with something that tells them apart.
    pub name: String,
    /// Of the Vega that it runs.
    pub version: String,
    /// Where its server can be reached; `None` where it has none, or where that may have been changed by others.
    pub url: Option<String>,
    /// When it last said something.
    pub seen_at: DateTime<Utc>,
    /// Whether it is the one on which this is asked.
    pub is_this_one: bool,
    /// Whether it has the key that seals what is stored.
    pub has_key: bool,
    /// Whether it has the key that is to follow.
    pub next_key: NextKey,
}

/// The key that is to follow the one in force, on one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextKey {
    /// None was prepared.
    NotPrepared,
    /// The machine has it.
    Held,
    /// The machine does not have it yet.
    Lacking,
}

/// Who signs in now, and where that process can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolderAt {
    /// Its process.
    pub holder: LeaseHolder,
    /// Where it can be reached, if it is a server.
    pub url: Option<String>,
}
