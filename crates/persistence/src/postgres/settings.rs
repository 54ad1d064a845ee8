//! The settings with which each connection begins, so that neither a role nor the server's configuration can weaken them. `fitness` looks
//! whether they came through.

/// What each connection begins with. Given at its beginning, they come before the settings of role and database.
pub(crate) const SETTINGS: [(&str, &str); 5] = [
    // A commit is durable before it is acknowledged.
    ("synchronous_commit", "on"),
    ("lock_timeout", "8s"),
    ("statement_timeout", "10s"),
    // A process that is stopped within a write holds up all others for so long.
    ("idle_in_transaction_session_timeout", "3s"),
    ("search_path", "public"),
];
