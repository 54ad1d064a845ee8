//! The OTP ledger: one row per press of "Get OTP", for the journal, inside its transactions.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, SqliteConnection};
use vega_domain::ids::{AttemptId, MobileNumber};
use vega_domain::moment::Moment;
use vega_domain::ports::StoreError;

use crate::data_source::failed;
use crate::moment_columns::{moment, since_boot};

/// Whether this attempt has a press on record.
pub(crate) async fn has_press(tx: &mut SqliteConnection, attempt: AttemptId) -> Result<bool, StoreError> {
    let found: i64 = sqlx::query_scalar("SELECT count(*) FROM otp_requests WHERE attempt_id = $1")
        .bind(attempt.as_uuid())
        .fetch_one(tx)
        .await
        .map_err(failed("read the OTP ledger"))?;
    Ok(found > 0)
}

/// Records a press.
pub(crate) async fn record(
    tx: &mut SqliteConnection,
    attempt: AttemptId,
    mobile: &MobileNumber,
    now: &Moment,
) -> Result<(), StoreError> {
    let (boot, since_boot_ms) = since_boot(now);
    sqlx::query(
        "INSERT INTO otp_requests (attempt_id, mobile_number, requested_at, boot, since_boot_ms)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(attempt.as_uuid())
    .bind(mobile.digits())
    .bind(now.at)
    .bind(boot)
    .bind(since_boot_ms)
    .execute(tx)
    .await
    .map(drop)
    .map_err(failed("record an OTP request"))
}

/// The newest so many presses for this number, newest last. With `redate` those that seem to lie in the future are
/// dated anew, once: their time in the window begins now, and it ends.
pub(crate) async fn newest_presses(
    tx: &mut SqliteConnection,
    mobile: &MobileNumber,
    newest: u32,
    redate: Option<&Moment>,
) -> Result<Vec<Moment>, StoreError> {
    let rows: Vec<PressRow> = sqlx::query_as(
        "SELECT id, requested_at, boot, since_boot_ms FROM otp_requests
         WHERE mobile_number = $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(mobile.digits())
    .bind(newest)
    .fetch_all(&mut *tx)
    .await
    .map_err(failed("read the OTP ledger"))?;
    let mut presses = Vec::new();
    for row in rows.into_iter().rev() {
        let (id, mut press) = row.into_press();
        if let Some(now) = redate.filter(|now| press.is_misdated(now)) {
            let (boot, since_boot_ms) = since_boot(now);
            sqlx::query(
                "UPDATE otp_requests SET requested_at = $2, boot = $3, since_boot_ms = $4 WHERE id = $1",
            )
            .bind(id)
            .bind(now.at)
            .bind(boot)
            .bind(since_boot_ms)
            .execute(&mut *tx)
            .await
            .map_err(failed("date an OTP request anew"))?;
            press = now.clone();
        }
        presses.push(press);
    }
    Ok(presses)
}

#[derive(FromRow)]
struct PressRow {
    id: i64,
    requested_at: DateTime<Utc>,
    boot: Option<String>,
    since_boot_ms: Option<i64>,
}

impl PressRow {
    fn into_press(self) -> (i64, Moment) {
        (self.id, moment(self.requested_at, self.boot, self.since_boot_ms))
    }
}
