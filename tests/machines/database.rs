//! What the database holds, seen with another program's eyes: `psql` asks the server past every machine and its way.

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};
use vega_testing::PostgresServer;

/// Whatever a process that lost the lease must not change.
const TABLES: [&str; 14] = [
    "writer",
    "login_lease",
    "execution_runs",
    "execution_steps",
    "sign_in_attempts",
    "otp_requests",
    "cooldowns",
    "upstox_tokens",
    "latest_changes",
    "audit_events",
    "seal_key",
    "access_keys",
    "console_links",
    "console_sessions",
];

/// The database of one desk.
pub(crate) struct Database {
    server: PostgresServer,
    url: String,
}

/// Every row at one moment, table by table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rows(Vec<(&'static str, String)>);

impl Rows {
    /// The tables whose rows differ.
    pub(crate) fn differ(&self, other: &Self) -> Vec<&'static str> {
        let pairs = self.0.iter().zip(&other.0);
        pairs
            .filter(|(one, other)| one != other)
            .map(|(one, _)| one.0)
            .collect()
    }
}

impl Database {
    /// A server of its own, with nothing in it.
    pub(crate) fn start() -> Self {
        // A commit that is not waited for stays in memory for long: whoever does not wait is found.
        let server = PostgresServer::alone("-c wal_writer_delay=10s");
        let url = server.fresh_database();
        Self { server, url }
    }

    /// A standby that has what the server acknowledged so far, and all that it acknowledges from now on where it waits for the standby.
    pub(crate) fn standby(&self, is_synchronous: bool) -> PostgresServer {
        let standby = self.server.standby();
        if is_synchronous {
            self.server.waits_for(&standby);
        } else {
            standby.catches_up_with(&self.server);
        }
        standby
    }

    /// The server dies, and its standby takes its place. Returns the one that was replaced.
    pub(crate) fn fails_over_to(&mut self, standby: PostgresServer) -> PostgresServer {
        self.server.crash();
        standby.promote();
        std::mem::replace(&mut self.server, standby)
    }

    /// Whether this standby has all that the server has.
    pub(crate) fn has_all_of_it(&self, standby: &PostgresServer) -> bool {
        self.last_entry_of(standby) == self.last_entry_of(&self.server)
    }

    /// The number of the last entry that another server has.
    pub(crate) fn last_entry_of(&self, server: &PostgresServer) -> String {
        server.ask(&self.url, "SELECT last_entry FROM writer")
    }

    pub(crate) fn server(&self) -> &PostgresServer {
        &self.server
    }

    /// Its name on the server.
    pub(crate) fn name(&self) -> &str {
        let rest = self.url.rsplit_once("@/").map_or("", |(_, rest)| rest);
        rest.split_once('?').map_or(rest, |(name, _)| name)
    }

    /// Every row now.
    pub(crate) fn rows(&self) -> Rows {
        let digest = |table: &str| {
            let question = format!(
                "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '') FROM {table} t"
            );
            self.server.ask(&self.url, &question)
        };
        Rows(TABLES.map(|table| (table, digest(table))).into())
    }

    /// The newest entries of the audit trail, for the words of a finding.
    pub(crate) fn newest_entries(&self) -> String {
        let question = "SELECT id, at, kind, api, detail FROM audit_events ORDER BY id DESC LIMIT 40";
        self.server.ask(&self.url, question)
    }

    /// Where the trail was cut, by its own words, oldest first.
    pub(crate) fn losses(&self) -> Vec<String> {
        let question = "SELECT detail FROM audit_events WHERE kind = 'commits_lost' ORDER BY id";
        let answer = self.server.ask(&self.url, question);
        answer.lines().map(str::to_owned).collect()
    }

    /// How many writes wait for another one.
    pub(crate) fn writes_that_wait(&self) -> u32 {
        let question = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted";
        self.server.ask(&self.url, question).parse().unwrap_or_default()
    }

    /// The kind of the entry that follows on the last take-over of the lease.
    pub(crate) fn written_behind_the_take_over(&self) -> String {
        let question = "SELECT kind FROM audit_events
            WHERE id = (SELECT max(id) + 1 FROM audit_events WHERE kind = 'lease_taken_over')";
        self.server.ask(&self.url, question)
    }

    /// The id of the process that has the lease.
    pub(crate) fn holder(&self) -> Option<u32> {
        let holder = "SELECT pid FROM login_lease WHERE NOT released";
        self.server.ask(&self.url, holder).parse().ok()
    }

    /// What the promises are looked at by.
    pub(crate) fn found(&self) -> Result<Value> {
        self.found_on(&self.server)
    }

    /// The same of another server.
    pub(crate) fn found_on(&self, server: &PostgresServer) -> Result<Value> {
        let question =
            "SELECT json_build_object(
                'entries', (SELECT count(*) FROM audit_events),
                'last_entry', (SELECT coalesce(max(id), 0) FROM audit_events),
                'counted', (SELECT last_entry FROM writer),
                'epoch', (SELECT epoch FROM writer),
                'late', (SELECT count(*) FROM audit_events WHERE detail LIKE '%it came too late, and is not used%'),
                'left_open', (SELECT count(*) FROM execution_runs WHERE state IN ('planned', 'running', 'waiting'))
                    + (SELECT count(*) FROM sign_in_attempts WHERE closed_at IS NULL),
                'presses', (SELECT coalesce(json_agg(requested_at ORDER BY id), '[]') FROM otp_requests),
                'attempts', (SELECT coalesce(json_object_agg(encode(state_hash, 'hex'),
                    json_build_object('api', api, 'status', status, 'failure', failure)), '{}') FROM sign_in_attempts))";
        let answer = server.ask(&self.url, question);
        serde_json::from_str(&answer).with_context(|| format!("no JSON: {answer}"))
    }
}

/// The name of an attempt in what was found.
pub(crate) fn hash_of(state: &str) -> String {
    let hash = Sha256::digest(state);
    hash.iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
