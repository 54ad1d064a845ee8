//! Rows of tokens: which one is an API's newest, whether it is what Vega wrote last, and how it is sealed. Used by whoever
//! writes them.

use vega_domain::ids::{ApiName, Generation};
use vega_domain::ports::StoreError;

use crate::audit::latest_changes::{Mark, Marks, Whose};
use crate::database::causes::failed;
use crate::database::write::Write;
use crate::sealing::row_values::TOKENS;
use crate::sql;
use crate::sql::{Row, Session};
use crate::stored::unreadable;

/// Whether Vega wrote this row; for the newest token, also whether it is the latest version that Vega wrote.
pub(crate) fn fits(tx: &Write, row: &Row, newest: Option<Generation>) -> bool {
    let generation: Option<u32> = row.try_get("generation").ok();
    let api: Option<String> = row.try_get("api").ok();
    match api {
        Some(api) if generation == newest.map(Generation::get) => {
            matches!(tx.fits(&TOKENS, row, Whose::Token(&api)), Ok(Ok(())))
        }
        _ => tx.trust.values.entry_of(&TOKENS, row).is_some(),
    }
}

/// Seals the row of an API's newest token as it is now, as changed by this entry.
pub(crate) async fn seal_newest(tx: &mut Write, row: i64, entry: i64) -> Result<(), StoreError> {
    match tx.row(&TOKENS, row).await? {
        Some(row) => tx.seal_and_note_as_of(&TOKENS, &row, entry).await,
        None => Err(unreadable("a token is gone while it is written")),
    }
}

/// The generation of the token that the marks call an API's newest.
pub(crate) fn known_generation(marks: &Marks, api: &ApiName) -> Option<Generation> {
    marks.get(Whose::Token(api.as_str())).and_then(generation_of)
}

/// The greatest generation of the rows and the one that the marks know: a number is used once, also if its row was removed.
pub(crate) async fn newest_generation(
    tx: &mut Session,
    known: Option<Generation>,
    api: &ApiName,
) -> Result<Option<Generation>, StoreError> {
    let newest: Option<u32> = sql::query_scalar("SELECT max(generation) FROM upstox_tokens WHERE api = $1")
        .bind(api.as_str())
        .fetch_one(tx)
        .await
        .map_err(failed("read the newest generation"))?;
    let newest = newest.map(Generation::new).transpose().map_err(unreadable)?;
    Ok(newest.max(known))
}

pub(crate) fn generation_of(mark: &Mark) -> Option<Generation> {
    let number = mark.number.and_then(|number| u32::try_from(number).ok())?;
    Generation::new(number).ok()
}
