//! Rows that are not what Vega wrote last: which ones, and their place in the audit trail. Nothing is mended here.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::StoreError;

use crate::audit_trail;
use crate::data_source::{DataSource, failed};
use crate::latest_changes::{Marks, Misfit, RowTrust, Whose};
use crate::row_marks::{self, called};
use crate::row_values::{self, ALL, ATTEMPTS, PRESSES, SealedTable};

const DOING: &str = "examine the rows";

/// What does not fit in the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowFaults {
    /// Why the database as a whole counts for nothing until the operator accepts it.
    pub database: Option<String>,
    /// Each row that counts for nothing.
    pub rows: Vec<RowFault>,
}

impl RowFaults {
    /// Whether everything fits.
    pub fn is_none(&self) -> bool {
        self.database.is_none() && self.rows.is_empty()
    }
}

/// A row that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// `changed`, `put_back` or `gone`.
    pub kind: &'static str,
    /// Which row, and what is wrong with it, in words.
    pub words: String,
}

impl RowFault {
    pub(crate) fn new(what: impl std::fmt::Display, misfit: Misfit) -> Self {
        Self {
            kind: misfit.code(),
            words: format!("{what} {misfit}"),
        }
    }
}

/// Which rows are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowScope {
    /// Those that decide something now: a few of each API.
    Deciding,
    /// Every one, however old.
    All,
}

impl DataSource {
    /// Why the database as a whole counts for nothing, if it does.
    pub async fn doubt(&self) -> Result<Option<String>, StoreError> {
        let reading = self.read().await?;
        Ok(reading.marks.as_ref().err().map(ToString::to_string))
    }

    /// Looks at the rows.
    pub async fn row_faults(&self, scope: RowScope) -> Result<RowFaults, StoreError> {
        let mut reading = self.read().await?;
        let rows = read_rows(&mut reading, scope).await?;
        let mut faults = RowFaults {
            database: reading.marks.as_ref().err().map(ToString::to_string),
            rows: Vec::new(),
        };
        let marks = reading.marks.as_ref().ok();
        for (table, row) in &rows {
            if let Some(misfit) = misfit(self.trust(), marks, table, row) {
                faults.rows.push(RowFault::new(called(table, row), misfit));
            }
        }
        for what in marks.map_or_else(Vec::new, |marks| gone(&rows, marks, scope)) {
            faults.rows.push(RowFault::new(what, Misfit::Gone));
        }
        Ok(faults)
    }

    /// Looks at those that decide something now. What is found goes on record, unless it is there already.
    /// Returns what was found now.
    pub async fn examine_rows(&self, at: DateTime<Utc>) -> Result<Vec<AuditEntry>, StoreError> {
        let faults = self.row_faults(RowScope::Deciding).await?;
        // What a database that does not count says of itself is put on record when it is accepted.
        if faults.rows.is_empty() || faults.database.is_some() {
            return Ok(Vec::new());
        }
        let mut new = Vec::new();
        let mut tx = self.write_whatever_it_is().await?;
        for words in faults.rows.iter().map(|fault| &fault.words) {
            let known: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM audit_events WHERE kind = $1 AND detail = $2)",
            )
            .bind(AuditKind::RowBroken.code())
            .bind(words)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed(DOING))?;
            if !known {
                let entry = AuditEntry::new(at, AuditKind::RowBroken, words);
                audit_trail::insert(&mut tx, &entry).await?;
                new.push(entry);
            }
        }
        tx.commit().await.map_err(failed(DOING))?;
        Ok(new)
    }
}

/// A row of one of the tables.
pub(crate) type TableRow = (&'static SealedTable, SqliteRow);

pub(crate) async fn read_rows(
    connection: &mut SqliteConnection,
    scope: RowScope,
) -> Result<Vec<TableRow>, StoreError> {
    let mut rows = Vec::new();
    for table in ALL {
        let found = match scope {
            RowScope::Deciding => row_values::deciding(connection, table).await?,
            RowScope::All => row_values::all(connection, table).await?,
        };
        rows.extend(found.into_iter().map(|row| (table, row)));
    }
    Ok(rows)
}

/// How a row does not fit. Where the database as a whole does not count, whether it fits in itself.
pub(crate) fn misfit(
    trust: &RowTrust,
    marks: Option<&Marks>,
    table: &SealedTable,
    row: &SqliteRow,
) -> Option<Misfit> {
    let Some(entry) = trust.values.entry_of(table, row) else {
        return Some(Misfit::Changed);
    };
    let marks = marks?;
    let number = row_marks::number(table, row);
    let mark = match row_marks::whose(table, row) {
        Some(whose) => marks.get(whose),
        // Of the sign-ins that have ended, the last one of each API is known.
        None => {
            return row_marks::ended(row).and_then(|api| {
                let mark = marks.get(Whose::Ended(&api))?;
                (mark.number == number && mark.entry != entry).then_some(Misfit::PutBack)
            });
        }
    };
    // Of what came before the newest there may be many.
    let is_earlier = mark.is_some_and(|mark| mark.number.is_some() && number < mark.number);
    let is_latest = mark.is_some_and(|mark| mark.entry == entry);
    (!is_earlier && !is_latest).then_some(Misfit::PutBack)
}

/// What is known and not there, in words.
fn gone(rows: &[TableRow], marks: &Marks, scope: RowScope) -> Vec<String> {
    let mut there: BTreeSet<String> = BTreeSet::new();
    let mut presses: BTreeMap<String, i64> = BTreeMap::new();
    for (table, row) in rows {
        let ended = row_marks::ended(row).filter(|_| **table == ATTEMPTS);
        let Some(whose) = ended
            .as_ref()
            .map(|api| Whose::Ended(api))
            .or_else(|| row_marks::whose(table, row))
        else {
            continue;
        };
        let name = whose.to_string();
        if **table == PRESSES {
            *presses.entry(name).or_default() += 1;
        } else {
            let known = marks.get(whose).and_then(|mark| mark.number);
            if known.is_none() || known == row_marks::number(table, row) {
                there.insert(name);
            }
        }
    }
    let mut gone = Vec::new();
    for (name, mark) in marks.iter() {
        let (kind, rest) = name.split_once(' ').unwrap_or((name, ""));
        let is_gone = match kind {
            "presses" => {
                scope == RowScope::All
                    && presses.get(name).copied().unwrap_or_default() < mark.number.unwrap_or_default()
            }
            _ => !there.contains(name),
        };
        if is_gone {
            gone.push(match (kind, &mark.closed) {
                ("token", _) => row_marks::token(rest, mark.number),
                ("closed", Some((account, _))) => row_marks::closed(account),
                ("presses", _) => "the record of an OTP press".into(),
                ("key", _) => format!("the access key {rest}"),
                ("link", _) => "a link into the console".into(),
                ("session", _) => format!("the console session {rest}"),
                ("ended", _) => format!("the record of the last sign-in for {rest}"),
                _ => format!("the record of the sign-in {rest}"),
            });
        }
    }
    gone
}
