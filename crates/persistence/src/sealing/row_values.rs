//! Row values: a keyed MAC over the columns of a row that decide something, and over the number of the audit entry that changed
//! it last. Without the root key nobody can edit, move or add a row unnoticed. It covers types and bytes as the database stores
//! them. Whether a row is also the newest version is decided in `audit::latest_changes`.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::key_files::root_key::RootKey;
use crate::sql::value::Stored;

/// Keeps this key apart from every other use of the root key.
const CONTEXT: &[u8] = b"vega row value 1";

/// A table whose rows have values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SealedTable {
    pub(crate) name: &'static str,
    /// The columns that decide something, with those that name the row. A test compares them with the schema.
    pub(crate) sealed: &'static [&'static str],
}

pub(crate) const TOKENS: SealedTable = SealedTable {
    name: "upstox_tokens",
    sealed: &[
        "api",
        "generation",
        "account",
        "client_id",
        "user_id",
        "sealed_access_token",
        "sealed_extended_token",
        "issued_at",
        "valid_until",
        "verified_at",
        "rejected_at",
        "revoked_at",
        "last_check_at",
        "last_check_result",
        "last_check_reason",
        "erased_at",
    ],
};

pub(crate) const KEYS: SealedTable = SealedTable {
    name: "access_keys",
    sealed: &[
        "id",
        "name",
        "sealed_hash",
        "scopes",
        "created_at",
        "expires_at",
        "revoked_at",
    ],
};

pub(crate) const LINKS: SealedTable = SealedTable {
    name: "console_links",
    sealed: &["code_hash", "made_at"],
};

pub(crate) const SESSIONS: SealedTable = SealedTable {
    name: "console_sessions",
    sealed: &["id", "secret_hash", "opened_at", "last_seen_at"],
};

pub(crate) const COOLDOWNS: SealedTable = SealedTable {
    name: "cooldowns",
    sealed: &[
        "mobile_number",
        "account",
        "since",
        "boot",
        "since_boot_ms",
        "length_ms",
        "reason",
        "detail",
    ],
};

pub(crate) const PRESSES: SealedTable = SealedTable {
    name: "otp_requests",
    sealed: &[
        "id",
        "attempt_id",
        "mobile_number",
        "position",
        "requested_at",
        "boot",
        "since_boot_ms",
    ],
};

pub(crate) const ATTEMPTS: SealedTable = SealedTable {
    name: "sign_in_attempts",
    sealed: &[
        "id",
        "run_id",
        "account",
        "api",
        "client_id",
        "generation",
        "state_hash",
        "status",
        "opened_at",
        "exchange_sent_at",
        "answered_at",
        "closed_at",
        "failure",
        "failure_detail",
        "sealed_code",
        "answer_status",
        "answer_complete",
        "sealed_answer",
    ],
};

/// Where the server of a machine is. Edited, it would lead people elsewhere; that a row is gone or late shows, so these rows are
/// neither marked nor examined.
pub(crate) const MACHINES: SealedTable = SealedTable {
    name: "machines",
    sealed: &["id", "process", "url"],
};

/// What was delivered to the files of a machine. Edited, it would keep programs on an old token, or have a file removed that is not Vega's.
/// One that is gone, or an earlier one, has a file delivered once more, so these rows are neither marked nor examined.
pub(crate) const FILE_DELIVERIES: SealedTable = SealedTable {
    name: "file_deliveries",
    sealed: &[
        "machine",
        "path",
        "api",
        "generation",
        "version",
        "on_expiry",
        "held",
        "written",
        "state",
        "since",
        "tried_at",
        "tries",
        "problem",
        "detail",
    ],
};

/// All tables with row values that are marked and examined.
pub(crate) const ALL: [&SealedTable; 7] =
    [&TOKENS, &KEYS, &LINKS, &SESSIONS, &COOLDOWNS, &PRESSES, &ATTEMPTS];

/// Makes and compares row values.
pub(crate) struct RowValues(Hmac<Sha256>);

impl fmt::Debug for RowValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowValues([redacted])")
    }
}

impl RowValues {
    pub(crate) fn new(key: &RootKey) -> Self {
        Self(key.derive(CONTEXT))
    }

    /// The value of a row with these sealed columns, as changed by this entry.
    pub(crate) fn of(&self, table: &SealedTable, entry: i64, columns: &[Stored<'_>]) -> Vec<u8> {
        self.mac(table, entry, columns).finalize().into_bytes().to_vec()
    }

    /// Whether a row is what Vega wrote with this entry.
    pub(crate) fn is_of(
        &self,
        table: &SealedTable,
        entry: i64,
        columns: &[Stored<'_>],
        value: &[u8],
    ) -> bool {
        self.mac(table, entry, columns).verify_slice(value).is_ok()
    }

    /// Hashes each part after its length, so that no two rows give the same bytes.
    fn mac(&self, table: &SealedTable, entry: i64, columns: &[Stored<'_>]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        let mut part = |kind: &str, bytes: &[u8]| {
            mac.update(&(kind.len() as u64).to_be_bytes());
            mac.update(kind.as_bytes());
            mac.update(&(bytes.len() as u64).to_be_bytes());
            mac.update(bytes);
        };
        part("table", table.name.as_bytes());
        part("entry", &entry.to_be_bytes());
        for column in columns {
            match column {
                Stored::Null => part("null", &[]),
                Stored::Integer(number) => part("INTEGER", &number.to_be_bytes()),
                Stored::Text(text) => part("TEXT", text.as_bytes()),
                Stored::Blob(bytes) => part("BLOB", bytes),
            }
        }
        mac
    }
}
