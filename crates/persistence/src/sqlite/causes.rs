//! Maps errors of SQLite to their causes by result code, never by text.

use sqlx::error::DatabaseError;
use vega_domain::ports::StorageCause;

/// The cause of an error of SQLite.
pub(crate) fn cause(error: &dyn DatabaseError) -> StorageCause {
    plain_code(error).map_or(StorageCause::Other, of_code)
}

/// SQLite's result codes: <https://www.sqlite.org/rescode.html>.
fn of_code(plain: u32) -> StorageCause {
    match plain {
        5 | 6 => StorageCause::Busy,
        13 => StorageCause::Full,
        3 | 8 | 23 => StorageCause::ReadOnly,
        14 => StorageCause::CannotOpen,
        CORRUPT | NOT_A_DATABASE => StorageCause::Damaged,
        10 => StorageCause::Disk,
        _ => StorageCause::Other,
    }
}

/// Whether the file is no database at all.
pub(crate) fn is_no_database(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(plain_code) == Some(NOT_A_DATABASE)
}

/// SQLite's code for a file that contradicts itself.
const CORRUPT: u32 = 11;
/// SQLite's code for a file that holds something else.
const NOT_A_DATABASE: u32 = 26;

/// Extended codes carry the plain one in their last byte.
fn plain_code(error: &dyn DatabaseError) -> Option<u32> {
    let code: u32 = error.code()?.parse().ok()?;
    Some(code & 0xff)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::busy(5, StorageCause::Busy)]
    #[case::locked(6, StorageCause::Busy)]
    #[case::full(13, StorageCause::Full)]
    #[case::permission(3, StorageCause::ReadOnly)]
    #[case::read_only(8, StorageCause::ReadOnly)]
    #[case::cannot_open(14, StorageCause::CannotOpen)]
    #[case::corrupt(11, StorageCause::Damaged)]
    #[case::no_database(26, StorageCause::Damaged)]
    #[case::io(10, StorageCause::Disk)]
    #[case::misuse(21, StorageCause::Other)]
    fn each_code_of_sqlite_has_its_cause(#[case] code: u32, #[case] cause: StorageCause) {
        assert_eq!(of_code(code), cause);
    }
}
