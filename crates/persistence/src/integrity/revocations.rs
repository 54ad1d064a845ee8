//! Finds rows of tokens and keys that are older than a later check or revocation in the audit trail. Used when the list
//! of latest changes is unusable. If the trail does not verify either, every row is treated as revoked.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;
use vega_domain::audit::AuditKind;
use vega_domain::ports::StoreError;

use crate::audit::latest_changes::Marks;
use crate::database::causes::failed;
use crate::database::write::Write;
use crate::integrity::row_examination::TableRow;
use crate::integrity::row_marks::{self, has_ended};
use crate::sealing::row_values::{ATTEMPTS, KEYS, LINKS, SESSIONS, SealedTable, TOKENS};
use crate::sql;
use crate::sql::{Row, record};

/// What the audit trail says about tokens and keys.
pub(crate) struct Revocations {
    /// Whether the trail is what Vega wrote.
    fits: bool,
    /// For each API, the entry that changed one of its tokens last.
    tokens: BTreeMap<String, i64>,
    /// The greatest generation of each API.
    newest: BTreeMap<String, Option<i64>>,
    /// For each API, the generation up to which its tokens are revoked, and the entry that revoked them.
    revoked: BTreeMap<String, (i64, i64)>,
    /// The entries that revoked keys, with their texts.
    keys: Vec<(i64, String)>,
}

record! {
    struct Entry {
        id: i64,
        kind: String,
        api: Option<String>,
        detail: String,
    }
}

impl Revocations {
    /// Reads the trail as it is before anything is written. Whether it is what Vega wrote was found out before the write began: a
    /// long one takes longer than a write may stay open.
    pub(crate) async fn read(is_intact: bool, tx: &mut Write, rows: &[TableRow]) -> Result<Self, StoreError> {
        let entries: Vec<Entry> = sql::query_as(
            "SELECT id, kind, api, detail FROM audit_events WHERE kind IN ($1, $2, $3, $4) ORDER BY id",
        )
        .bind(AuditKind::TokenStored.code())
        .bind(AuditKind::TokenChecked.code())
        .bind(AuditKind::TokenRevoked.code())
        .bind(AuditKind::KeyRevoked.code())
        .fetch_all(tx)
        .await
        .map_err(failed("read what was revoked"))?;
        let mut found = Self {
            fits: is_intact,
            tokens: BTreeMap::new(),
            newest: BTreeMap::new(),
            revoked: BTreeMap::new(),
            keys: Vec::new(),
        };
        for (table, row) in rows.iter().filter(|(table, _)| **table == TOKENS) {
            let api: String = row.try_get("api").unwrap_or_default();
            let newest = found.newest.entry(api).or_default();
            *newest = (*newest).max(row_marks::number(table, row));
        }
        for Entry {
            id,
            kind,
            api,
            detail,
        } in entries
        {
            if kind == AuditKind::KeyRevoked.code() {
                found.keys.push((id, detail));
                continue;
            }
            let api = api.unwrap_or_default();
            if kind == AuditKind::TokenRevoked.code()
                && let Some(generation) = generation_in(&detail)
            {
                let known = found.revoked.entry(api.clone()).or_insert((generation, id));
                *known = (*known).max((generation, id));
            }
            found.tokens.insert(api, id);
        }
        Ok(found)
    }

    /// Whether this row, which `entry` changed last, must not be used.
    pub(crate) fn speak_against(&self, table: &SealedTable, row: &Row, entry: i64) -> bool {
        match *table {
            TOKENS => {
                let api: String = row.try_get("api").unwrap_or_default();
                let is_newest = self.newest.get(&api).copied().flatten() == row_marks::number(table, row);
                let is_older = self.tokens.get(&api).is_some_and(|last| entry < *last);
                !self.fits || (is_newest && is_older)
            }
            KEYS => {
                let id = row
                    .try_get::<Uuid>("id")
                    .map(|id| id.to_string())
                    .unwrap_or_default();
                !self.fits
                    || self
                        .keys
                        .iter()
                        .any(|(revoked, words)| entry < *revoked && tells_of(words, &id))
            }
            // Whether they were used or ended since is not looked for: the operator opens new ones.
            LINKS | SESSIONS => true,
            // A code is sent once.
            ATTEMPTS => !has_ended(row),
            _ => false,
        }
    }

    /// Marks what was revoked, so that it stays revoked in every copy.
    pub(crate) fn keep(&self, marks: &mut Marks, at: DateTime<Utc>) {
        for (api, (generation, entry)) in &self.revoked {
            marks.revoke_up_to(api, *generation, *entry, at);
        }
        if !self.fits {
            marks.revoke_all(at);
        }
    }
}

/// Whether the text of a revocation is about this key. A text that names no key may be about any.
fn tells_of(words: &str, id: &str) -> bool {
    words.contains(id) || !words.contains('(')
}

/// The generation that a revocation names.
fn generation_in(words: &str) -> Option<i64> {
    let rest = words.strip_prefix("generation ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}
