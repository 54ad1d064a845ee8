//! The PostgreSQL server that tests start, for what is shown and measured over one.

#[path = "../../crates/testing/src/postgres.rs"]
#[expect(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "written for tests, which stop where they cannot set up their fixture"
)]
mod postgres;

pub(crate) use self::postgres::PostgresServer;
