//! Checks of tokens in their rows: what each changes, under which audit entry, in one commit. What a check means for a token
//! is decided in `domain::token`.

use vega_domain::audit::AuditEntry;
use vega_domain::ports::{RecordedCheck, StoreError, TokenCheck, entry_for_unchanged};
use vega_domain::token::StoredToken;

use crate::audit::latest_changes::{Mark, Whose};
use crate::database::causes::failed;
use crate::database::write::Write;
use crate::records::token::{TokenRow, check_columns, revocation};
use crate::repositories::audit_trail;
use crate::repositories::token_rows::{fits, known_generation, newest_generation, seal_newest};
use crate::sealing::fingerprint::Subject;
use crate::sealing::row_values::TOKENS;
use crate::sql;
use crate::sql::FromRow;

/// A check, and the row of the token that was checked as it was before.
struct CheckedRow<'a> {
    check: &'a TokenCheck,
    audit: &'a AuditEntry,
    /// `None` if there is no such row.
    number: Option<i64>,
    /// Whether it is what Vega wrote last. One that is not stays so.
    fits: bool,
    is_newest: bool,
    /// `None` if the row is missing, or does not open: then its entry has no fingerprint.
    token: Option<StoredToken>,
}

/// Records checks inside a transaction that is open. Tells for each whether its generation is the newest.
pub(crate) async fn record(tx: &mut Write, checks: &[RecordedCheck]) -> Result<Vec<bool>, StoreError> {
    let mut newest = Vec::with_capacity(checks.len());
    let (mut changed, mut unchanged, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for recorded in checks {
        let row = CheckedRow::read(tx, recorded).await?;
        newest.push(row.is_newest);
        if row.is_changed() {
            changed.push((row.audit.clone(), vec![row]));
        } else {
            told.push(recorded);
            unchanged.push(row);
        }
    }
    let unchanged = entry_for_unchanged(&told).map(|entry| (entry, unchanged));
    for (entry, rows) in changed.into_iter().chain(unchanged) {
        // First the entry, whose number the rows bear.
        match &rows[..] {
            [
                CheckedRow {
                    token: Some(token), ..
                },
            ] => {
                audit_trail::insert_about(tx, &entry, Subject::Token(&token.access_token)).await?;
            }
            _ => audit_trail::insert(tx, &entry).await?,
        }
        for row in rows {
            row.write(tx).await?;
        }
    }
    Ok(newest)
}

impl<'a> CheckedRow<'a> {
    async fn read(tx: &mut Write, (check, audit): &'a RecordedCheck) -> Result<Self, StoreError> {
        const DOING: &str = "read the token that was checked";
        let known = known_generation(tx.marks()?, &check.api);
        let newest = newest_generation(tx, known, &check.api).await?;
        let row =
            sql::query("SELECT rowid AS number, * FROM upstox_tokens WHERE api = $1 AND generation = $2")
                .bind(check.api.as_str())
                .bind(check.generation.get())
                .fetch_optional(tx)
                .await
                .map_err(failed(DOING))?;
        let number = row.as_ref().map(|row| row.try_get("number")).transpose();
        let token = row.as_ref().and_then(|row| TokenRow::from_row(row).ok());
        Ok(Self {
            check,
            audit,
            number: number.map_err(failed(DOING))?,
            fits: row.as_ref().is_some_and(|row| fits(tx, row, newest)),
            is_newest: newest == Some(check.generation),
            token: token.and_then(|token| token.into_token(&tx.sealer).ok()),
        })
    }

    /// Of a row that cannot be read nothing is known.
    fn is_changed(&self) -> bool {
        let mut token = self.token.iter();
        !token.any(|token| !token.is_changed_by(self.check.check))
    }

    /// As changed by the trail's last entry.
    async fn write(self, tx: &mut Write) -> Result<(), StoreError> {
        let (check, entry) = (self.check, tx.last_entry());
        let (at, result, reason) = check_columns(Some(check.check));
        sql::query(
            "UPDATE upstox_tokens SET last_check_at = $3, last_check_result = $4, last_check_reason = $5,
                 verified_at = CASE WHEN $4 = 'valid' THEN coalesce(verified_at, $3) ELSE verified_at END,
                 rejected_at = CASE $4 WHEN 'invalid' THEN coalesce(rejected_at, $3)
                                       WHEN 'valid' THEN NULL ELSE rejected_at END,
                 revoked_at = $6
             WHERE api = $1 AND generation = $2 AND revoked_at IS NULL",
        )
        .bind(check.api.as_str())
        .bind(check.generation.get())
        .bind(at)
        .bind(result)
        .bind(reason)
        .bind(revocation(Some(check.check)))
        .execute(tx)
        .await
        .map_err(failed("record a profile check"))?;
        if let Some(at) = revocation(Some(check.check)) {
            let api = check.api.as_str();
            let marks = tx.marks()?;
            marks.revoke_up_to(api, i64::from(check.generation.get()), entry, at);
            // After a revocation a row that did not fit stays so, also when what it was before is put back.
            let known = marks.get(Whose::Token(api)).cloned();
            if let Some(known) = known.filter(|_| !self.fits && self.is_newest) {
                marks.set(Whose::Token(api), Mark { entry, ..known });
            }
        }
        match self.number.filter(|_| self.fits) {
            Some(number) if self.is_newest => seal_newest(tx, number, entry).await,
            Some(number) => tx.seal_as_of(&TOKENS, number, entry).await,
            None => Ok(()),
        }
    }
}
