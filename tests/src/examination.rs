//! What a desk's database holds, seen with another program's eyes: `sqlite3` looks at a copy, so that nothing is recovered,
//! checkpointed or closed that a dead Vega left.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::desk::Desk;
use crate::upstox::blocking;

/// The newest attempts are enough: nobody changes closed ones.
const NEWEST: u32 = 40;

/// What was found.
#[derive(Debug)]
pub struct Examination(Value);

impl Examination {
    /// Looks at the desk's database. No `vega` may run there.
    pub async fn of(desk: &Desk) -> Result<Self> {
        let database = desk.database();
        blocking(move || {
            let copy = tempfile::tempdir()?;
            let file = copy.path().join("copy.db");
            std::fs::copy(&database, &file)?;
            let (wal, copied_wal) = (database.with_extension("db-wal"), copy.path().join("copy.db-wal"));
            if wal.exists() {
                std::fs::copy(wal, copied_wal)?;
            }
            let looked = Command::new("sqlite3").arg(&file).arg(question()).output();
            let looked = looked.context("sqlite3 is missing: install the package of this name")?;
            ensure!(
                looked.status.success(),
                "the database does not open: {}",
                String::from_utf8_lossy(&looked.stderr)
            );
            Ok(Self(serde_json::from_slice(&looked.stdout)?))
        })
        .await
    }

    /// What SQLite says about the file: `ok`.
    pub fn integrity(&self) -> &str {
        self.0["integrity"].as_str().unwrap_or("nothing was said")
    }

    /// Rows that point to rows that are not there.
    pub fn broken_references(&self) -> u64 {
        self.0["broken_references"].as_u64().unwrap_or(u64::MAX)
    }

    /// Runs that look as if somebody carried them out, and attempts that look as if somebody waited for their end.
    pub fn left_open(&self) -> u64 {
        self.0["left_open"].as_u64().unwrap_or(u64::MAX)
    }

    /// How many presses of Get OTP are on record.
    pub fn presses(&self) -> u64 {
        self.0["presses"].as_u64().unwrap_or(u64::MAX)
    }

    /// The newest presses on record in milliseconds since boot, oldest first.
    pub fn newest_presses(&self) -> Vec<u64> {
        let newest = self.0["newest_presses"].as_array();
        let mut newest: Vec<u64> = newest.into_iter().flatten().filter_map(Value::as_u64).collect();
        newest.sort_unstable();
        newest
    }

    /// The attempt that sent this `state`: `status`, `failure` and `generation`.
    pub fn attempt(&self, state: &str) -> Option<&Value> {
        let hash = Sha256::digest(state);
        let hash = hash
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let mut attempts = self.0["attempts"].as_array()?.iter();
        attempts.find(|attempt| attempt["state"] == *hash)
    }
}

fn question() -> String {
    format!(
        "SELECT json_object(
            'integrity', (SELECT group_concat(integrity_check, '; ') FROM pragma_integrity_check),
            'broken_references', (SELECT count(*) FROM pragma_foreign_key_check),
            'left_open', (SELECT count(*) FROM execution_runs WHERE state IN ('planned', 'running', 'waiting'))
                + (SELECT count(*) FROM sign_in_attempts WHERE closed_at IS NULL),
            'presses', (SELECT count(*) FROM otp_requests),
            'newest_presses', (SELECT json_group_array(since_boot_ms) FROM
                (SELECT since_boot_ms FROM otp_requests ORDER BY id DESC LIMIT {NEWEST})),
            'attempts', (SELECT json_group_array(json_object('state', lower(hex(state_hash)), 'api', api,
                    'generation', generation, 'status', status, 'failure', failure)) FROM
                (SELECT * FROM sign_in_attempts ORDER BY id DESC LIMIT {NEWEST})))"
    )
}
