//! Rows of sign-ins, sealed at each change. They decide whether a code may be sent, so a sign-in that was edited, or restored
//! from before its end, is not continued.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{ApiName, AttemptId};
use vega_domain::ports::{LastFailure, StoreError};

use crate::audit::latest_changes::{Mark, Misfit, Whose};
use crate::database::causes::failed;
use crate::database::write::{Reading, Write, changed_outside};
use crate::integrity::row_marks::{self, called, has_ended};
use crate::integrity::row_values::{self, RowScope};
use crate::sealing::row_values::ATTEMPTS;
use crate::sql;
use crate::sql::Row;
use crate::stored::unreadable;

/// A sign-in's row before a change.
pub(crate) struct Before {
    number: i64,
    misfit: Option<(String, Misfit)>,
}

/// The row before a change; `None` where there is no such sign-in.
pub(crate) async fn before(tx: &mut Write, attempt: AttemptId) -> Result<Option<Before>, StoreError> {
    let number: Option<i64> = sql::query_scalar("SELECT rowid FROM sign_in_attempts WHERE id = $1")
        .bind(attempt.as_uuid())
        .fetch_optional(tx)
        .await
        .map_err(failed("read a sign-in attempt"))?;
    let Some(number) = number else { return Ok(None) };
    let Some(row) = tx.row(&ATTEMPTS, number).await? else {
        return Ok(None);
    };
    let fits = if has_ended(&row) {
        let is_ours = tx.trust.values.entry_of(&ATTEMPTS, &row).is_some();
        is_ours.then_some(()).ok_or(Misfit::Changed)
    } else {
        tx.fits(&ATTEMPTS, &row, Whose::Attempt(attempt.as_uuid()))?
    };
    Ok(Some(Before {
        number,
        misfit: fits.err().map(|misfit| (called(&ATTEMPTS, &row), misfit)),
    }))
}

/// Fails where the row is not what Vega wrote last.
pub(crate) async fn refuse_changed(tx: &mut Write, attempt: AttemptId) -> Result<(), StoreError> {
    match before(tx, attempt).await? {
        Some(Before {
            misfit: Some((called, misfit)),
            ..
        }) => Err(changed_outside(called, misfit)),
        _ => Ok(()),
    }
}

/// Records that the sign-in began.
pub(crate) async fn begun(tx: &mut Write, attempt: AttemptId, number: i64) -> Result<(), StoreError> {
    tx.seal_and_mark(&ATTEMPTS, number, Whose::Attempt(attempt.as_uuid()))
        .await
}

/// Seals the row as it is now. A row that did not fit before is not sealed, so it still does not fit.
pub(crate) async fn changed(
    tx: &mut Write,
    attempt: AttemptId,
    before: Option<Before>,
) -> Result<(), StoreError> {
    let Some(Before { number, misfit: None }) = before else {
        return Ok(());
    };
    let Some(row) = tx.row(&ATTEMPTS, number).await? else {
        return Ok(());
    };
    let whose = Whose::Attempt(attempt.as_uuid());
    if !has_ended(&row) {
        // One that was called ended goes on.
        let api: String = row.try_get("api").map_err(failed("read a sign-in attempt"))?;
        let marks = tx.marks()?;
        if marks
            .get(Whose::Ended(&api))
            .is_some_and(|ended| ended.number == Some(number))
        {
            marks.clear(Whose::Ended(&api));
        }
        return tx.seal_and_mark(&ATTEMPTS, number, whose).await;
    }
    tx.marks()?.clear(whose);
    let api: String = row.try_get("api").map_err(failed("read a sign-in attempt"))?;
    let mark = ended_mark(&row, tx.entry());
    // Only the one that began last tells how the last sign-in ended.
    let ended = Whose::Ended(&api);
    let marks = tx.marks()?;
    if marks.get(ended).is_none_or(|known| known.number <= mark.number) {
        marks.set(ended, mark);
    }
    tx.seal(&ATTEMPTS, number).await
}

/// Whether a sign-in for this API is open: somebody carries it out, or has to finish it.
pub(crate) async fn is_open(tx: &mut Write, api: &ApiName) -> Result<bool, StoreError> {
    let open: i64 =
        sql::query_scalar("SELECT count(*) FROM sign_in_attempts WHERE api = $1 AND closed_at IS NULL")
            .bind(api.as_str())
            .fetch_one(tx)
            .await
            .map_err(failed("read a sign-in attempt"))?;
    Ok(open > 0)
}

/// Closes a sign-in. Returns whether it was open.
pub(crate) async fn close(
    tx: &mut Write,
    attempt: AttemptId,
    failure: &Failure,
    at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let before = before(tx, attempt).await?;
    let closed = sql::query(
        "UPDATE sign_in_attempts SET status = 'closed', closed_at = $2, failure = $3, failure_detail = $4,
             sealed_code = NULL, sealed_answer = CASE WHEN $5 THEN sealed_answer END
         WHERE id = $1 AND closed_at IS NULL",
    )
    .bind(attempt.as_uuid())
    .bind(at)
    .bind(failure.reason.code())
    .bind(&failure.detail)
    .bind(failure.reason == FailureReason::NeedsReview)
    .execute(tx)
    .await
    .map_err(failed("close a sign-in attempt"))?;
    if closed == 1 {
        changed(tx, attempt, before).await?;
    }
    Ok(closed == 1)
}

/// Whether a token may be stored for this sign-in: an answer may be there, or somebody cleared up who did not know of it, and no later
/// sign-in for the API began.
pub(crate) async fn awaits_token(tx: &mut Write, attempt: AttemptId) -> Result<bool, StoreError> {
    let found: i64 = sql::query_scalar(
        "SELECT count(*) FROM sign_in_attempts AS attempt
         WHERE id = $1 AND (status IN ('code_sealed', 'answered') OR status = 'closed' AND failure = $2
             AND NOT EXISTS (SELECT 1 FROM sign_in_attempts AS later
                             WHERE later.api = attempt.api AND later.rowid > attempt.rowid))",
    )
    .bind(attempt.as_uuid())
    .bind(FailureReason::OutcomeUnknown.code())
    .fetch_one(tx)
    .await
    .map_err(failed("read a sign-in attempt"))?;
    Ok(found == 1)
}

/// Whether this sign-in ended without a token.
pub(crate) async fn is_closed(tx: &mut Write, attempt: AttemptId) -> Result<bool, StoreError> {
    let found: i64 =
        sql::query_scalar("SELECT count(*) FROM sign_in_attempts WHERE id = $1 AND status = 'closed'")
            .bind(attempt.as_uuid())
            .fetch_one(tx)
            .await
            .map_err(failed("read a sign-in attempt"))?;
    Ok(found == 1)
}

/// The mark of the sign-in of an API that ended last.
pub(crate) fn ended_mark(row: &Row, entry: i64) -> Mark {
    Mark {
        number: row.try_get("number").ok(),
        time: row.try_get("closed_at").ok(),
        ..Mark::of(entry)
    }
}

/// Fails where the row that was read is not what Vega wrote last.
pub(crate) fn refuse_changed_row(reading: &Reading, row: &Row) -> Result<(), StoreError> {
    if has_ended(row) {
        // Whether it is the last one is looked at where that counts.
        return if reading.judge.is_ours(&ATTEMPTS, row) {
            Ok(())
        } else {
            Err(changed_outside(called(&ATTEMPTS, row), Misfit::Changed))
        };
    }
    let id: uuid::Uuid = row.try_get("id").map_err(failed("read a sign-in attempt"))?;
    reading
        .judge
        .fits(&ATTEMPTS, row, Whose::Attempt(id), called(&ATTEMPTS, row))
}

/// The APIs whose last finished sign-in is missing or changed: how it ended is unknown.
pub(crate) async fn changed_ends(reading: &mut Reading) -> Result<Vec<LastFailure>, StoreError> {
    let Ok(marks) = reading.judge.marks.clone() else {
        return Ok(Vec::new());
    };
    let judge = reading.judge.clone();
    let mut ended = BTreeMap::new();
    row_values::for_each(reading, &ATTEMPTS, RowScope::Deciding, |row| {
        if has_ended(row) {
            let entry = judge.trust.values.entry_of(&ATTEMPTS, row);
            ended.insert(row_marks::number(&ATTEMPTS, row), entry);
        }
    })
    .await?;
    let mut unresolved = Vec::new();
    for (api, mark) in marks.all_of("ended") {
        let misfit = match ended.get(&mark.number) {
            None => Misfit::Gone,
            Some(None) => Misfit::Changed,
            Some(Some(entry)) if *entry == mark.entry => continue,
            Some(Some(_)) => Misfit::PutBack,
        };
        let at = mark.time.unwrap_or_default();
        let words = changed_outside(format!("the record of the last sign-in for {api}"), misfit);
        unresolved.push(LastFailure {
            api: ApiName::new(api).map_err(unreadable)?,
            run_began: at,
            stored: at,
            failure: Failure::new(FailureReason::NeedsReview, words.to_string()),
            attempt: None,
        });
    }
    Ok(unresolved)
}
