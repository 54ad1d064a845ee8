//! The OTP ledger: one row per press of "Get OTP", for the journal, inside its transactions.

use chrono::{DateTime, Utc};
use vega_domain::clock_reading::ClockReading;
use vega_domain::ids::{AttemptId, MobileNumber};
use vega_domain::ports::StoreError;

use crate::audit::latest_changes::{Mark, Marks, Whose};
use crate::audit::row_trust::RowTrust;
use crate::database::causes::failed;
use crate::database::write::{Reading, Write};
use crate::records::clock_columns::{moment, since_boot};
use crate::sealing::row_values::PRESSES;
use crate::sql;
use crate::sql::{Row, Session};

const DOING: &str = "read the OTP ledger";

/// Whether this attempt has a press on record.
pub(crate) async fn has_press(tx: &mut Session, attempt: AttemptId) -> Result<bool, StoreError> {
    let found: i64 = sql::query_scalar("SELECT count(*) FROM otp_requests WHERE attempt_id = $1")
        .bind(attempt.as_uuid())
        .fetch_one(tx)
        .await
        .map_err(failed("read the OTP ledger"))?;
    Ok(found > 0)
}

/// Records a press, with its position among the presses for its number.
pub(crate) async fn record(
    tx: &mut Write,
    attempt: AttemptId,
    mobile: &MobileNumber,
    now: &ClockReading,
) -> Result<(), StoreError> {
    let (boot, since_boot_ms) = since_boot(now);
    let whose = Whose::Presses(mobile.digits());
    let position = 1 + tx.marks()?.get(whose).and_then(|mark| mark.number).unwrap_or(0);
    let recorded: i64 = sql::query_scalar(
        "INSERT INTO otp_requests (attempt_id, mobile_number, requested_at, boot, since_boot_ms, position)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING rowid",
    )
    .bind(attempt.as_uuid())
    .bind(mobile.digits())
    .bind(now.at)
    .bind(boot)
    .bind(since_boot_ms)
    .bind(position)
    .fetch_one(tx)
    .await
    .map_err(failed("record an OTP request"))?;
    let mark = Mark {
        number: Some(position),
        ..Mark::of(tx.entry())
    };
    tx.marks()?.set(whose, mark);
    tx.seal(&PRESSES, recorded).await
}

/// Fails if the newest presses are not all that Vega wrote: how many are left is unknown then.
pub(crate) async fn refuse_changed(
    tx: &mut Write,
    mobile: &MobileNumber,
    newest: u32,
) -> Result<(), StoreError> {
    let rows = newest_rows(tx, mobile, newest).await?;
    let mark = tx.marks()?.get(Whose::Presses(mobile.digits())).cloned();
    if are_ours(&tx.trust, mark.as_ref(), &rows, newest) {
        return Ok(());
    }
    Err(StoreError::ChangedOutside(
        "the record of OTP presses was changed outside Vega, so how many are left is not known and none is made. \
         `vega audit --verify` shows what was changed; `vega audit accept --reason TEXT` lets what is there count, on record"
            .into(),
    ))
}

/// Whether these rows, the newest first, are the newest presses without a gap.
fn are_ours(trust: &RowTrust, mark: Option<&Mark>, rows: &[Row], newest: u32) -> bool {
    let mut next = mark.and_then(|mark| mark.number).unwrap_or(0);
    for (place, row) in rows.iter().enumerate() {
        let entry = trust.values.entry_of(&PRESSES, row);
        let position: Option<i64> = row.try_get("position").ok();
        let is_latest = place > 0 || entry == mark.map(|mark| mark.entry);
        if entry.is_none() || position != Some(next) || !is_latest {
            return false;
        }
        next -= 1;
    }
    next == 0 || rows.len() == newest as usize
}

/// The times of the newest presses for this number, at most `newest` of them, the newest last. If rows were changed
/// outside Vega, returns `newest` presses that count as made now, so that no press is left.
pub(crate) async fn newest_presses(
    reading: &mut Reading,
    mobile: &MobileNumber,
    newest: u32,
) -> Result<Vec<ClockReading>, StoreError> {
    let rows = newest_rows(reading, mobile, newest).await?;
    let mut lost = Vec::new();
    // In a database that does not count no press is made at all.
    if let Ok(marks) = &reading.judge.marks {
        let mark = marks.get(Whose::Presses(mobile.digits()));
        if !are_ours(&reading.judge.trust, mark, &rows, newest) {
            let of_now = ClockReading::by_wall_clock(DateTime::<Utc>::MAX_UTC);
            return Ok(vec![of_now; newest as usize]);
        }
        lost = lost_presses(marks, newest);
    }
    rows.iter()
        .rev()
        .map(press)
        .chain(lost.into_iter().map(Ok))
        .collect()
}

/// After a loss of commits nobody knows which presses were among them: so many count as made when it was noticed.
fn lost_presses(marks: &Marks, newest: u32) -> Vec<ClockReading> {
    let lost = marks.get(Whose::Lost).and_then(|mark| mark.time);
    lost.map_or_else(Vec::new, |at| {
        vec![ClockReading::by_wall_clock(at); newest as usize]
    })
}

/// The same inside a write. Presses that seem to be in the future get the present time, once: so their time in the
/// window begins now, and does end.
pub(crate) async fn redated_presses(
    tx: &mut Write,
    mobile: &MobileNumber,
    newest: u32,
    now: &ClockReading,
) -> Result<Vec<ClockReading>, StoreError> {
    let mut presses = Vec::new();
    for row in newest_rows(tx, mobile, newest).await?.iter().rev() {
        let mut press = press(row)?;
        if press.is_misdated(now) {
            let number: i64 = row.try_get("id").map_err(failed(DOING))?;
            let entry: i64 = row.try_get("row_entry").map_err(failed(DOING))?;
            let (boot, since_boot_ms) = since_boot(now);
            sql::query(
                "UPDATE otp_requests SET requested_at = $2, boot = $3, since_boot_ms = $4 WHERE id = $1",
            )
            .bind(number)
            .bind(now.at)
            .bind(boot)
            .bind(since_boot_ms)
            .execute(tx)
            .await
            .map_err(failed("date an OTP request anew"))?;
            tx.seal_as_of(&PRESSES, number, entry).await?;
            press = now.clone();
        }
        presses.push(press);
    }
    // One that seems to be in the future gets the present time too.
    let lost = tx.marks()?.get(Whose::Lost).cloned();
    if let Some(lost) = lost.filter(|lost| lost.time > Some(now.at)) {
        let time = Some(now.at);
        tx.marks()?.set(Whose::Lost, Mark { time, ..lost });
    }
    presses.extend(lost_presses(tx.marks()?, newest));
    Ok(presses)
}

async fn newest_rows(
    connection: &mut Session,
    mobile: &MobileNumber,
    newest: u32,
) -> Result<Vec<Row>, StoreError> {
    sql::query("SELECT * FROM otp_requests WHERE mobile_number = $1 ORDER BY id DESC LIMIT $2")
        .bind(mobile.digits())
        .bind(newest)
        .fetch_all(connection)
        .await
        .map_err(failed(DOING))
}

fn press(row: &Row) -> Result<ClockReading, StoreError> {
    let get = || {
        Ok(moment(
            row.try_get("requested_at")?,
            row.try_get("boot")?,
            row.try_get("since_boot_ms")?,
        ))
    };
    get().map_err(failed(DOING))
}
