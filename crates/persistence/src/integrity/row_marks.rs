//! For each table with row values: a row's subject, its entry in the list of latest changes, and its name in messages.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::audit::latest_changes::{Mark, Whose};
use crate::sealing::row_values::{ATTEMPTS, COOLDOWNS, KEYS, LINKS, PRESSES, SESSIONS, SealedTable, TOKENS};
use crate::sql::Row;

/// The subject of this row; `None` if the row cannot be read, or is a sign-in that has ended.
pub(crate) fn whose<'r>(table: &SealedTable, row: &'r Row) -> Option<Whose<'r>> {
    let text = |column: &str| row.try_get::<&'r str>(column).ok();
    let id = || row.try_get::<Uuid>("id").ok();
    match *table {
        TOKENS => text("api").map(Whose::Token),
        KEYS => id().map(Whose::Key),
        LINKS => row.try_get::<&'r [u8]>("code_hash").ok().map(Whose::Link),
        SESSIONS => id().map(Whose::Session),
        COOLDOWNS => text("mobile_number").map(Whose::Closed),
        PRESSES => text("mobile_number").map(Whose::Presses),
        _ if has_ended(row) => None,
        _ => id().map(Whose::Attempt),
    }
}

/// The mark of a change of this row by this entry.
pub(crate) fn mark(table: &SealedTable, row: &Row, entry: i64) -> Mark {
    let text = |column: &str| row.try_get::<String>(column).unwrap_or_default();
    let time = |column: &str| row.try_get::<DateTime<Utc>>(column).ok();
    let mark = Mark::of(entry);
    match *table {
        TOKENS => Mark {
            number: number(table, row),
            time: time("valid_until"),
            ..mark
        },
        PRESSES => Mark {
            number: number(table, row),
            ..mark
        },
        COOLDOWNS => Mark {
            time: time("since"),
            closed: Some((text("account"), text("reason"))),
            ..mark
        },
        _ => mark,
    }
}

/// A number that is greatest in the newest of several rows with one subject.
pub(crate) fn number(table: &SealedTable, row: &Row) -> Option<i64> {
    let column = match *table {
        TOKENS => "generation",
        PRESSES => "position",
        ATTEMPTS => "number",
        _ => return None,
    };
    row.try_get(column).ok()
}

/// The API of a sign-in that has ended.
pub(crate) fn ended(row: &Row) -> Option<String> {
    row.try_get("api").ok().filter(|_| has_ended(row))
}

/// Whether this sign-in has ended.
pub(crate) fn has_ended(row: &Row) -> bool {
    row.try_get::<Option<String>>("closed_at")
        .is_ok_and(|closed| closed.is_some())
}

/// The row's name in messages.
pub(crate) fn called(table: &SealedTable, row: &Row) -> String {
    let text = |column: &str| row.try_get::<String>(column).unwrap_or_else(|_| "?".into());
    match *table {
        TOKENS => token(&text("api"), number(table, row)),
        KEYS => format!("the access key {}", text("name")),
        LINKS => "a link into the console".into(),
        SESSIONS => "a console session".into(),
        COOLDOWNS => closed(&text("account")),
        PRESSES => format!(
            "the record of an OTP press of {}",
            row.try_get::<String>("requested_at").unwrap_or_default()
        ),
        ATTEMPTS => format!(
            "the record of a sign-in for {} of {}",
            text("api"),
            text("opened_at")
        ),
        _ => format!("a row of {}", table.name),
    }
}

/// The name of an API's token.
pub(crate) fn token(api: &str, generation: Option<i64>) -> String {
    let generation = generation.map_or("?".into(), |generation| generation.to_string());
    format!("the record of the token of {api}, generation {generation},")
}

/// The name of a closed account's row.
pub(crate) fn closed(account: &str) -> String {
    format!("the record that account {account} is closed")
}
