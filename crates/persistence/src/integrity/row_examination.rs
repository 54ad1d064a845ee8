//! Finds rows that are not the last version that Vega wrote, and records them in the audit trail. Repairs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::StoreError;
use vega_domain::row_faults::{RowFault, RowFaults};

use crate::audit::database_mistrust::DatabaseMistrust;
use crate::audit::latest_changes::{Mark, Marks, Misfit, Whose};
use crate::audit::row_trust::RowTrust;
use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::integrity::row_marks::{self, called};
use crate::integrity::row_values::{self, RowScope};
use crate::repositories::audit_trail;
use crate::sealing::row_values::{ALL, ATTEMPTS, PRESSES, SealedTable};
use crate::sql::{Row, Session};

const DOING: &str = "examine the rows";

/// The fault of a row that does not fit and has this state.
pub(crate) fn row_fault(what: impl std::fmt::Display, misfit: Misfit, state: String) -> RowFault {
    RowFault {
        kind: misfit.code(),
        words: format!("{what} {misfit}"),
        state,
    }
}

/// The name of a fault in the audit trail.
fn name_of(fault: &RowFault) -> String {
    format!("{} {}", fault.words, fault.state)
}

impl DataSource {
    /// Why the database as a whole is not trusted; `None` if it is.
    pub async fn mistrust(&self) -> Result<Option<String>, StoreError> {
        let reading = self.read().await?;
        Ok(reading.judge.marks.as_ref().err().map(ToString::to_string))
    }

    /// Examines the rows.
    pub async fn row_faults(&self, scope: RowScope) -> Result<RowFaults, StoreError> {
        let mut reading = self.read().await?;
        let mut faults = RowFaults {
            database: reading.judge.marks.as_ref().err().map(ToString::to_string),
            rows: Vec::new(),
        };
        // Rows that bear no value yet are not what does not fit.
        if matches!(reading.judge.marks, Err(DatabaseMistrust::Unsealed { .. })) {
            return Ok(faults);
        }
        let marks = reading.judge.marks.clone().ok();
        let (marks, trust) = (marks.as_deref(), Arc::clone(&reading.judge.trust));
        let mut found = FoundRows::default();
        for table in ALL {
            row_values::for_each(&mut reading, table, scope, |row| {
                if let Some(marks) = marks {
                    found.note(table, row, marks);
                }
                if let Some(misfit) = misfit(&trust, marks, table, row) {
                    let state = row_values::digest(table, row);
                    faults.rows.push(row_fault(called(table, row), misfit, state));
                }
            })
            .await?;
        }
        for (what, entry) in marks.map_or_else(Vec::new, |marks| found.gone(marks, scope)) {
            faults.rows.push(row_fault(what, Misfit::Gone, entry.to_string()));
        }
        Ok(faults)
    }

    /// Examines the rows that decide something now, and records new faults in the audit trail. Returns what was recorded now.
    pub async fn examine_rows(&self, at: DateTime<Utc>) -> Result<Vec<AuditEntry>, StoreError> {
        let faults = self.row_faults(RowScope::Deciding).await?;
        self.record_row_faults(&faults, at).await
    }

    /// Records the faults of the rows that decide something now in the audit trail: each once while the row stays as it is,
    /// and again when the row is changed again, or after it was repaired. Returns what was recorded now.
    pub async fn record_row_faults(
        &self,
        faults: &RowFaults,
        at: DateTime<Utc>,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        // What a database that does not count says of itself is put on record when it is accepted.
        if faults.database.is_some() {
            return Ok(Vec::new());
        }
        let names: BTreeSet<String> = faults.rows.iter().map(name_of).collect();
        let told = self.told().await?;
        if names == told {
            return Ok(Vec::new());
        }
        let mut new = Vec::new();
        let mut tx = self.write_whatever_it_is().await?;
        if tx.mistrust().is_some() {
            return Ok(Vec::new());
        }
        for mended in told.difference(&names) {
            tx.marks()?.clear(Whose::Told(mended));
        }
        for fault in &faults.rows {
            let name = name_of(fault);
            let mark = Mark::of(tx.entry());
            let marks = tx.marks()?;
            if marks.get(Whose::Told(&name)).is_none() {
                marks.set(Whose::Told(&name), mark);
                let entry = AuditEntry::new(at, AuditKind::RowBroken, &fault.words);
                audit_trail::insert(&mut tx, &entry).await?;
                new.push(entry);
            }
        }
        tx.commit().await.map_err(failed(DOING))?;
        Ok(new)
    }

    /// The faults that are recorded.
    async fn told(&self) -> Result<BTreeSet<String>, StoreError> {
        let reading = self.read().await?;
        let marks = reading.judge.marks.as_ref().ok();
        let told = marks.into_iter().flat_map(|marks| marks.all_of("told"));
        Ok(told.map(|(name, _)| name.to_owned()).collect())
    }
}

/// A row of one of the tables.
pub(crate) type TableRow = (&'static SealedTable, Row);

/// Every row of all tables.
pub(crate) async fn read_rows(connection: &mut Session) -> Result<Vec<TableRow>, StoreError> {
    let mut rows = Vec::new();
    for table in ALL {
        let found = row_values::all(connection, table).await?;
        rows.extend(found.into_iter().map(|row| (table, row)));
    }
    Ok(rows)
}

/// How a row does not fit. Where the database as a whole is not trusted, only the row's own value is checked.
pub(crate) fn misfit(
    trust: &RowTrust,
    marks: Option<&Marks>,
    table: &SealedTable,
    row: &Row,
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

/// The rows that were found, by the names of their marks.
#[derive(Default)]
struct FoundRows {
    rows: BTreeSet<String>,
    /// How many OTP presses of each number.
    presses: BTreeMap<String, i64>,
}

impl FoundRows {
    fn note(&mut self, table: &SealedTable, row: &Row, marks: &Marks) {
        let ended = row_marks::ended(row).filter(|_| *table == ATTEMPTS);
        let Some(whose) = ended
            .as_ref()
            .map(|api| Whose::Ended(api))
            .or_else(|| row_marks::whose(table, row))
        else {
            return;
        };
        if *table == PRESSES {
            *self.presses.entry(whose.to_string()).or_default() += 1;
        } else {
            let known = marks.get(whose).and_then(|mark| mark.number);
            if known.is_none() || known == row_marks::number(table, row) {
                self.rows.insert(whose.to_string());
            }
        }
    }

    /// The rows that are known and missing, as text, with the entry that changed each last.
    fn gone(&self, marks: &Marks, scope: RowScope) -> Vec<(String, i64)> {
        let mut gone = Vec::new();
        for (name, mark) in marks.iter() {
            let (kind, rest) = name.split_once(' ').unwrap_or((name, ""));
            let is_gone = match kind {
                // Those are of no row.
                "revoked" | "stopped" | "told" | "lost" => false,
                "presses" => {
                    scope == RowScope::All
                        && self.presses.get(name).copied().unwrap_or_default()
                            < mark.number.unwrap_or_default()
                }
                _ => !self.rows.contains(name),
            };
            if is_gone {
                let what = match (kind, &mark.closed) {
                    ("token", _) => row_marks::token(rest, mark.number),
                    ("closed", Some((account, _))) => row_marks::closed(account),
                    ("presses", _) => "the record of an OTP press".into(),
                    ("key", _) => format!("the access key {rest}"),
                    ("link", _) => "a link into the console".into(),
                    ("session", _) => format!("the console session {rest}"),
                    ("ended", _) => format!("the record of the last sign-in for {rest}"),
                    _ => format!("the record of the sign-in {rest}"),
                };
                gone.push((what, mark.entry));
            }
        }
        gone
    }
}
