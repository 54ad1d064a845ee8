//! The operator's word that the database is to count as it is: after a backup was put back, or after somebody changed rows.
//! What fits counts as before. What does not fit never comes into force by that: tokens are dead, keys, links and sessions
//! are gone, sign-ins are over; what closes an account stays closed, and OTP presses count.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::failure::FailureReason;
use vega_domain::ports::StoreError;

use crate::attempt_rows::ended_mark;
use crate::audit_trail::{self, stored_time};
use crate::data_source::{DataSource, failed};
use crate::latest_changes::{Mark, Marks, Misfit, Whose};
use crate::row_examination::{RowFaults, RowScope, TableRow, misfit, read_rows};
use crate::row_marks::{self, has_ended};
use crate::row_values::{ATTEMPTS, COOLDOWNS, KEYS, LINKS, PRESSES, SESSIONS, SealedTable, TOKENS};
use crate::write::{Write, changed_outside};

const DOING: &str = "accept the database";

impl DataSource {
    /// Lets the database count as it is, in one commit that says why, with a new checkpoint. Returns what was accepted; where
    /// everything fits, nothing is written.
    pub async fn accept(&self, reason: &str, at: DateTime<Utc>) -> Result<RowFaults, StoreError> {
        let faults = self.row_faults(RowScope::All).await?;
        if faults.is_none() {
            return Ok(faults);
        }
        let mut tx = self.write_whatever_it_is().await?;
        let before = tx.marks().ok().map(|marks| marks.clone());
        let rows = read_rows(&mut tx, RowScope::All).await?;
        tx.forget_marks();
        let mut presses_fit = true;
        for (table, row) in &rows {
            match misfit(&tx.trust, before.as_ref(), table, row) {
                None => keep(&mut tx, (table, row))?,
                Some(_) if **table == PRESSES => presses_fit = false,
                Some(_) => settle(&mut tx, table, row, at).await?,
            }
        }
        let presses_gone = faults.rows.iter().any(|fault| fault.kind == "gone");
        if !presses_fit || presses_gone || before.is_none() {
            count_presses_anew(&mut tx).await?;
        }
        close_again(&mut tx, before.as_ref()).await?;
        let rows = faults.rows.iter().map(|fault| &*fault.words);
        let what: Vec<&str> = faults.database.as_deref().into_iter().chain(rows).collect();
        let words = format!("{reason}; {}", what.join("; "));
        audit_trail::insert(&mut tx, &AuditEntry::new(at, AuditKind::DatabaseAccepted, words)).await?;
        tx.commit().await.map_err(failed(DOING))?;
        Ok(faults)
    }
}

/// What fits counts as before, as changed by the entry that it names.
fn keep(tx: &mut Write, (table, row): (&SealedTable, &SqliteRow)) -> Result<(), StoreError> {
    let Some(entry) = tx.trust.values.entry_of(table, row) else {
        return Ok(());
    };
    let ended = row_marks::ended(row).filter(|_| *table == ATTEMPTS);
    let (whose, mark) = match &ended {
        Some(api) => (Whose::Ended(api), ended_mark(row, entry)),
        None => match row_marks::whose(table, row) {
            Some(whose) => (whose, row_marks::mark(table, row, entry)),
            None => return Ok(()),
        },
    };
    let marks = tx.marks()?;
    if marks.get(whose).is_none_or(|known| known.number <= mark.number) {
        marks.set(whose, mark);
    }
    Ok(())
}

/// What does not fit is worth nothing from now on.
async fn settle(
    tx: &mut Write,
    table: &SealedTable,
    row: &SqliteRow,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let number: i64 = row.try_get("number").map_err(failed(DOING))?;
    let at = stored_time(at);
    let name = table.name;
    let change = match *table {
        // As revoked, for good: what a check rejected, a later answer of Upstox's would bring back.
        TOKENS => "SET rejected_at = coalesce(rejected_at, $2), revoked_at = coalesce(revoked_at, $2)",
        COOLDOWNS => "SET length_ms = NULL",
        ATTEMPTS if has_ended(row) => "SET sealed_code = NULL, sealed_answer = NULL",
        ATTEMPTS => {
            "SET status = 'closed', closed_at = $2, failure = $3, failure_detail = 'changed outside Vega',
                 sealed_code = NULL, sealed_answer = NULL"
        }
        KEYS | LINKS | SESSIONS => {
            let delete = format!("DELETE FROM {name} WHERE rowid = $1");
            sqlx::query(AssertSqlSafe(delete))
                .bind(number)
                .execute(&mut **tx)
                .await
                .map_err(failed(DOING))?;
            return Ok(());
        }
        _ => return Ok(()),
    };
    sqlx::query(AssertSqlSafe(format!("UPDATE {name} {change} WHERE rowid = $1")))
        .bind(number)
        .bind(at)
        .bind(FailureReason::NeedsReview.code())
        .execute(&mut **tx)
        .await
        .map_err(failed(DOING))?;
    tx.seal(table, number).await?;
    if let Some(row) = tx.row(table, number).await? {
        keep(tx, (table, &row))?;
    }
    Ok(())
}

/// The presses that are there count, each with a number of its own again.
async fn count_presses_anew(tx: &mut Write) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE otp_requests SET position =
             (SELECT count(*) FROM otp_requests AS earlier
              WHERE earlier.mobile_number = otp_requests.mobile_number AND earlier.id <= otp_requests.id)",
    )
    .execute(&mut **tx)
    .await
    .map_err(failed(DOING))?;
    let rows: Vec<TableRow> = read_rows(tx, RowScope::All).await?;
    for (table, row) in rows.iter().filter(|(table, _)| **table == PRESSES) {
        tx.seal_and_note(table, row).await?;
    }
    Ok(())
}

/// An account whose row was taken away is stopped, until the operator opens it.
async fn close_again(tx: &mut Write, before: Option<&Marks>) -> Result<(), StoreError> {
    let Some(before) = before else { return Ok(()) };
    let known: Vec<(&str, &Mark)> = before.all_of("closed").collect();
    for (mobile, mark) in known {
        let (Some((account, reason)), Some(since)) = (&mark.closed, mark.time) else {
            continue;
        };
        let words = changed_outside(row_marks::closed(account), Misfit::Gone).to_string();
        let put = sqlx::query(
            "INSERT INTO cooldowns (mobile_number, account, since, reason, detail) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (mobile_number) DO NOTHING",
        )
        .bind(mobile)
        .bind(account)
        .bind(since)
        .bind(reason)
        .bind(words)
        .execute(&mut **tx)
        .await
        .map_err(failed(DOING))?;
        if put.rows_affected() == 1
            && let Some(row) = tx.row(&COOLDOWNS, put.last_insert_rowid()).await?
        {
            tx.seal_and_note(&COOLDOWNS, &row).await?;
        }
    }
    Ok(())
}
