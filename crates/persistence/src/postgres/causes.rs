//! Maps errors of PostgreSQL to their causes by SQLSTATE, never by text.

use sqlx::error::DatabaseError;
use vega_domain::ports::StorageCause;

/// The cause of an error of PostgreSQL.
pub(crate) fn cause(error: &dyn DatabaseError) -> StorageCause {
    error.code().map_or(StorageCause::Other, |state| of_state(&state))
}

/// Codes: <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
fn of_state(state: &str) -> StorageCause {
    match state {
        // Locks not available, a statement that took too long, a deadlock or a conflict.
        "55P03" | "57014" | "40001" | "40P01" | "53300" => StorageCause::Busy,
        "53100" => StorageCause::Full,
        "25006" | "42501" => StorageCause::ReadOnly,
        "XX001" | "XX002" => StorageCause::Damaged,
        "58030" => StorageCause::Disk,
        // The server shuts down or starts, or the connection ended: of a process that was held up within a transaction, too.
        "57P01" | "57P02" | "57P03" | "25P03" => StorageCause::Away,
        state if state.starts_with("08") => StorageCause::Away,
        state if state.starts_with("28") || state.starts_with("3D") => StorageCause::CannotOpen,
        _ => StorageCause::Other,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::lock_timeout("55P03", StorageCause::Busy)]
    #[case::statement_timeout("57014", StorageCause::Busy)]
    #[case::idle_in_transaction("25P03", StorageCause::Away)]
    #[case::full("53100", StorageCause::Full)]
    #[case::read_only("25006", StorageCause::ReadOnly)]
    #[case::no_right("42501", StorageCause::ReadOnly)]
    #[case::damaged("XX001", StorageCause::Damaged)]
    #[case::shut_down("57P01", StorageCause::Away)]
    #[case::crash("57P02", StorageCause::Away)]
    #[case::starting("57P03", StorageCause::Away)]
    #[case::connection("08006", StorageCause::Away)]
    #[case::password("28P01", StorageCause::CannotOpen)]
    #[case::no_database("3D000", StorageCause::CannotOpen)]
    #[case::syntax("42601", StorageCause::Other)]
    fn each_state_has_its_cause(#[case] state: &str, #[case] cause: StorageCause) {
        assert_eq!(of_state(state), cause);
    }
}
