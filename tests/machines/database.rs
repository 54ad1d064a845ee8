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

    /// A standby that has whatever the server acknowledges from now on.
    pub(crate) fn standby(&self) -> PostgresServer {
        let standby = self.server.standby();
        self.server.waits_for(&standby);
        standby
    }

    /// The server dies, and its standby takes its place.
    pub(crate) fn fails_over_to(&mut self, standby: PostgresServer) {
        self.server.crash();
        standby.promote();
        self.server = standby;
    }

    pub(crate) fn server(&self) -> &PostgresServer {
        &self.server
    }

    /// Its name on the server.
    pub(crate) fn name(&self) -> &str {
        let rest = self.url.rsplit_once("@/").map_or("", |(_, rest)| rest);
        rest.split_once('?').map_or(rest, |(name, _)| name)
    }

    fn json(&self, question: &str) -> Result<Value> {
        let answer = self.server.ask(&self.url, question);
        serde_json::from_str(&answer).with_context(|| format!("no JSON: {answer}"))
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
        let question = "SELECT id, at, kind, api, detail FROM audit_events ORDER BY id DESC LIMIT 25";
        self.server.ask(&self.url, question)
    }

    /// How many entries of this kind are on record.
    pub(crate) fn count(&self, kind: &str) -> u64 {
        let question = format!("SELECT count(*) FROM audit_events WHERE kind = '{kind}'");
        self.server.ask(&self.url, &question).parse().unwrap_or_default()
    }

    /// The id of the process that has the lease.
    pub(crate) fn holder(&self) -> Option<u32> {
        let holder = "SELECT pid FROM login_lease WHERE NOT released";
        self.server.ask(&self.url, holder).parse().ok()
    }

    /// What the promises are looked at by.
    pub(crate) fn found(&self) -> Result<Value> {
        self.json(
            "SELECT json_build_object(
                'entries', (SELECT count(*) FROM audit_events),
                'last_entry', (SELECT coalesce(max(id), 0) FROM audit_events),
                'counted', (SELECT last_entry FROM writer),
                'late', (SELECT count(*) FROM audit_events WHERE detail LIKE '%it came too late, and is not used%'),
                'left_open', (SELECT count(*) FROM execution_runs WHERE state IN ('planned', 'running', 'waiting'))
                    + (SELECT count(*) FROM sign_in_attempts WHERE closed_at IS NULL),
                'presses', (SELECT coalesce(json_agg(requested_at ORDER BY id), '[]') FROM otp_requests),
                'attempts', (SELECT coalesce(json_object_agg(encode(state_hash, 'hex'),
                    json_build_object('api', api, 'status', status, 'failure', failure)), '{}') FROM sign_in_attempts))",
        )
    }
}

/// The name of an attempt in what was found.
pub(crate) fn hash_of(state: &str) -> String {
    let hash = Sha256::digest(state);
    hash.iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
