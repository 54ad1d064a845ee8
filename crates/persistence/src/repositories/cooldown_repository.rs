//! Cooldowns and stops of accounts in SQLite. A row that was changed or removed outside Vega keeps its account closed until the
//! operator decides.

use std::collections::BTreeMap;

use async_trait::async_trait;
use vega_domain::audit::AuditEntry;
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::{AccountHold, Cooldown};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, MobileNumber};
use vega_domain::ports::{CooldownRepository, StoreError};

use crate::audit::latest_changes::{Mark, Misfit, Whose};
use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::write::{Write, changed_outside};
use crate::integrity::row_marks;
use crate::records::clock_columns::since_boot;
use crate::records::cooldown::CooldownRow;
use crate::repositories::audit_trail;
use crate::sealing::row_values::COOLDOWNS;
use crate::sql;
use crate::sql::{FromRow, Session};
use crate::stored::unreadable;

/// `CooldownRepository` over SQLite.
#[derive(Debug, Clone)]
pub struct SqlCooldownRepository(DataSource);

impl SqlCooldownRepository {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }
}

#[async_trait]
impl CooldownRepository for SqlCooldownRepository {
    async fn load_all(&self) -> Result<Vec<Cooldown>, StoreError> {
        let mut reading = self.0.read().await?;
        let rows = sql::query("SELECT * FROM cooldowns ORDER BY account")
            .fetch_all(&mut reading)
            .await
            .map_err(failed("read the closed accounts"))?;
        // In a database that does not count no sign-in begins.
        let Ok(marks) = reading.judge.marks.clone() else {
            let all = rows
                .iter()
                .map(|row| CooldownRow::from_row(row).map_err(unreadable));
            return all.map(|row| row?.into_cooldown()).collect();
        };
        let mut known: BTreeMap<&str, &Mark> = marks.all_of("closed").collect();
        let mut all = Vec::new();
        for row in &rows {
            let mobile: String = row.try_get("mobile_number").map_err(unreadable)?;
            known.remove(&*mobile);
            let called = row_marks::called(&COOLDOWNS, row);
            let fits = reading
                .judge
                .fits(&COOLDOWNS, row, Whose::Closed(&mobile), called);
            let mut cooldown = CooldownRow::from_row(row).map_err(unreadable)?.into_cooldown()?;
            if let Err(error) = fits {
                // A changed row closes its account with no end, until the operator decides.
                cooldown.hold = AccountHold::Stop;
                cooldown.failure = Failure::new(cooldown.failure.reason, error.to_string());
            }
            all.push(cooldown);
        }
        for (mobile, mark) in known {
            all.extend(taken_away(mobile, mark)?);
        }
        Ok(all)
    }

    async fn close(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<(), StoreError> {
        const DOING: &str = "close an account's sign-ins";
        let (boot, since_boot_ms) = since_boot(&cooldown.since);
        let length_ms = match cooldown.hold {
            AccountHold::Cooldown { length } => Some(i64::try_from(length.as_millis()).unwrap_or(i64::MAX)),
            AccountHold::Stop => None,
        };
        let mut tx = self.0.write_of_sign_in().await?;
        let mobile = cooldown.mobile_number.digits();
        let is_changed = match number_of(&mut tx, mobile).await? {
            Some(number) => !fits(&mut tx, mobile, number).await?,
            None => tx.marks()?.get(Whose::Closed(mobile)).is_some(),
        };
        // What was changed outside Vega closes like a stop, which a cooldown must not replace.
        if is_changed && !cooldown.is_stop() {
            return Ok(());
        }
        let changed = sql::query(
            "INSERT INTO cooldowns (mobile_number, account, since, boot, since_boot_ms, length_ms, reason, detail)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (mobile_number) DO UPDATE SET account = excluded.account, since = excluded.since,
                 boot = excluded.boot, since_boot_ms = excluded.since_boot_ms, length_ms = excluded.length_ms,
                 reason = excluded.reason, detail = excluded.detail
             WHERE cooldowns.length_ms IS NOT NULL OR excluded.length_ms IS NULL",
        )
        .bind(cooldown.mobile_number.digits())
        .bind(cooldown.account.as_str())
        .bind(cooldown.since.at)
        .bind(boot)
        .bind(since_boot_ms)
        .bind(length_ms)
        .bind(cooldown.failure.reason.code())
        .bind(&cooldown.failure.detail)
        .execute(&mut tx)
        .await
        .map_err(failed(DOING))?;
        if changed == 0 {
            return Ok(());
        }
        if let Some(number) = number_of(&mut tx, mobile).await?
            && let Some(row) = tx.row(&COOLDOWNS, number).await?
        {
            tx.seal_and_note(&COOLDOWNS, &row).await?;
        }
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn redate(&self, cooldown: &Cooldown, since: &ClockReading) -> Result<(), StoreError> {
        const DOING: &str = "date a cooldown anew";
        let (boot, since_boot_ms) = since_boot(since);
        let mut tx = self.0.write().await?;
        let mobile = cooldown.mobile_number.digits();
        let number = number_of(&mut tx, mobile).await?;
        let number = match number {
            Some(number) if fits(&mut tx, mobile, number).await? => number,
            _ => return Ok(()),
        };
        sql::query(
            "UPDATE cooldowns SET since = $3, boot = $4, since_boot_ms = $5 WHERE mobile_number = $1 AND since = $2",
        )
        .bind(cooldown.mobile_number.digits())
        .bind(cooldown.since.at)
        .bind(since.at)
        .bind(boot)
        .bind(since_boot_ms)
        .execute(&mut tx)
        .await
        .map_err(failed(DOING))?;
        // No entry tells of it: the mark is the one of the entry that closed the account.
        let mark = tx.marks()?.get(Whose::Closed(mobile)).cloned();
        if let Some(mark) = mark {
            let entry = mark.entry;
            let time = Some(since.at);
            tx.marks()?.set(Whose::Closed(mobile), Mark { time, ..mark });
            tx.seal_as_of(&COOLDOWNS, number, entry).await?;
        }
        tx.commit().await.map_err(failed(DOING))
    }

    async fn open(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<bool, StoreError> {
        const DOING: &str = "open an account's sign-ins";
        let mut tx = self.0.write().await?;
        let removed = sql::query("DELETE FROM cooldowns WHERE mobile_number = $1 AND since = $2")
            .bind(cooldown.mobile_number.digits())
            .bind(cooldown.since.at)
            .execute(&mut tx)
            .await
            .map_err(failed(DOING))?;
        let whose = Whose::Closed(cooldown.mobile_number.digits());
        let known = tx.marks()?.get(whose).and_then(|mark| mark.time);
        if removed == 0 && known != Some(cooldown.since.at) {
            return Ok(false);
        }
        tx.marks()?.clear(whose);
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed(DOING))?;
        Ok(true)
    }
}

/// The stop of an account whose row was removed outside Vega; it stays until the operator decides.
fn taken_away(mobile: &str, mark: &Mark) -> Result<Option<Cooldown>, StoreError> {
    let (Some((account, reason)), Some(since)) = (&mark.closed, mark.time) else {
        return Ok(None);
    };
    let reason = FailureReason::parse(reason).map_err(unreadable)?;
    let words = changed_outside(row_marks::closed(account), Misfit::Gone).to_string();
    Ok(Some(Cooldown {
        account: AccountId::new(&**account).map_err(unreadable)?,
        mobile_number: MobileNumber::new(mobile).map_err(unreadable)?,
        since: ClockReading::by_wall_clock(since),
        hold: AccountHold::Stop,
        failure: Failure::new(reason, words),
    }))
}

async fn number_of(tx: &mut Session, mobile: &str) -> Result<Option<i64>, StoreError> {
    sql::query_scalar("SELECT rowid FROM cooldowns WHERE mobile_number = $1")
        .bind(mobile)
        .fetch_optional(tx)
        .await
        .map_err(failed("read a closed account"))
}

async fn fits(tx: &mut Write, mobile: &str, number: i64) -> Result<bool, StoreError> {
    let Some(row) = tx.row(&COOLDOWNS, number).await? else {
        return Ok(false);
    };
    Ok(tx.fits(&COOLDOWNS, &row, Whose::Closed(mobile))?.is_ok())
}
