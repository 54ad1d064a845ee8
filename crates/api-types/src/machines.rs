//! The machines that share a database, and who signs in.

use serde::Serialize;
use utoipa::ToSchema;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::machine::{LeaseHolderAt, Machine, NextKey};

/// The machines: the answer of `vega seal machines --json`.
#[derive(Debug, Serialize, ToSchema)]
pub struct MachinesView {
    pub v: u8,
    pub machines: Vec<MachineView>,
}

/// A machine, as it said last.
#[derive(Debug, Serialize, ToSchema)]
pub struct MachineView {
    /// Its host name; where several have the same one, with something that tells them apart.
    pub name: String,
    /// Whether it is the one that answers.
    pub is_this_one: bool,
    /// Of Vega.
    pub version: String,
    /// Where its server can be reached; null where it has none.
    pub url: Option<String>,
    /// When it last said something.
    pub seen_at: String,
    pub seen_at_unix: i64,
    /// Whether it has the key that seals what is stored.
    pub has_key: bool,
    /// Whether it has the key that is to follow; null where none is prepared.
    pub has_next_key: Option<bool>,
}

impl From<Machine> for MachineView {
    fn from(machine: Machine) -> Self {
        Self {
            name: machine.name,
            is_this_one: machine.is_this_one,
            version: machine.version,
            url: machine.url,
            seen_at: rfc3339_ist(machine.seen_at),
            seen_at_unix: machine.seen_at.timestamp(),
            has_key: machine.has_key,
            has_next_key: match machine.next_key {
                NextKey::NotPrepared => None,
                NextKey::Held => Some(true),
                NextKey::Lacking => Some(false),
            },
        }
    }
}

/// Who has the right to sign in.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeaseView {
    /// The host name of its machine.
    pub machine: String,
    pub pid: u32,
    pub since: String,
    pub since_unix: i64,
    /// Whether it is the server that answers.
    pub is_this_server: bool,
    /// Where it can be reached; null where it is no server.
    pub url: Option<String>,
}

impl From<LeaseHolderAt> for LeaseView {
    fn from(LeaseHolderAt { holder, url }: LeaseHolderAt) -> Self {
        Self {
            machine: holder.host,
            pid: holder.pid,
            since: rfc3339_ist(holder.since),
            since_unix: holder.since.timestamp(),
            is_this_server: holder.is_this_process,
            url,
        }
    }
}
