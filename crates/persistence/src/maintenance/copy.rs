//! Copies all rows of a database into another one, within a transaction of each, a few hundred at a time: numbers, sealed values and
//! chain values stay as they are. Then both are compared, row by row. Whoever calls it decides when the copy counts.

use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;
use vega_domain::ports::StoreError;

use crate::database::causes::failed;
use crate::maintenance::tables::{self, COPIED, COUNTED, CopiedColumn, CopiedTable};
use crate::repositories::audit_rows;
use crate::sql::value::Stored;
use crate::sql::{self, EngineName, Row, Session};

const DOING: &str = "copy the database";

/// How many rows are held in memory at once.
const ROWS: usize = 500;

/// How many rows of which table were copied.
pub(crate) type Counts = Vec<(&'static str, u64)>;

/// Copies all rows from one session into another, whose tables are empty, and compares them.
pub(crate) async fn copy(from: &mut Session, to: &mut Session) -> Result<Counts, StoreError> {
    for session in [&mut *from, &mut *to] {
        be_patient(session).await?;
    }
    for table in &COPIED {
        copy_table(from, to, table).await?;
    }
    count_on(from, to).await?;
    compare(from, to).await
}

/// While one side is read from its first row to its last, the other one waits. A server would end its transaction after a few seconds,
/// so that nobody is held up; of what is copied nobody waits for the end.
pub(crate) async fn be_patient(session: &mut Session) -> Result<(), StoreError> {
    match session.engine_name() {
        EngineName::Sqlite => Ok(()),
        EngineName::Postgres => {
            let patience = "SET LOCAL idle_in_transaction_session_timeout = '10min'";
            run(session, patience.into()).await
        }
    }
}

/// Removes all rows that a copy brings anew. Entries of the audit trail are removed from what arrives alone.
pub(crate) async fn clear(session: &mut Session) -> Result<(), StoreError> {
    let names: Vec<&str> = COPIED.iter().map(|table| table.name).collect();
    match session.engine_name() {
        EngineName::Postgres => {
            let all = format!("TRUNCATE {}", names.join(", "));
            run(session, all).await
        }
        EngineName::Sqlite => {
            for name in names.iter().rev().filter(|name| **name != "audit_events") {
                run(session, format!("DELETE FROM {name}")).await?;
            }
            Ok(())
        }
    }
}

async fn run(session: &mut Session, statement: String) -> Result<(), StoreError> {
    let done = sql::query(AssertSqlSafe(statement)).execute(session).await;
    done.map(drop).map_err(failed(DOING))
}

async fn copy_table(from: &mut Session, to: &mut Session, table: &CopiedTable) -> Result<(), StoreError> {
    let columns = same_columns(from, to, table).await?;
    let mut pages = Pages::of(table, &columns);
    loop {
        let rows = pages.next(from).await?;
        if rows.is_empty() {
            return Ok(());
        }
        insert(to, table, &columns, &rows).await?;
    }
}

async fn same_columns(
    from: &mut Session,
    to: &mut Session,
    table: &CopiedTable,
) -> Result<Vec<CopiedColumn>, StoreError> {
    let columns = tables::columns(from, table).await.map_err(failed(DOING))?;
    let theirs = tables::columns(to, table).await.map_err(failed(DOING))?;
    if columns == theirs && !columns.is_empty() {
        return Ok(columns);
    }
    Err(StoreError::Unreadable(format!(
        "the table {} has other columns in one place than in the other: both must be databases of this version of Vega",
        table.name
    )))
}

async fn insert(
    to: &mut Session,
    table: &CopiedTable,
    columns: &[CopiedColumn],
    rows: &[Row],
) -> Result<(), StoreError> {
    let mut places = 1..;
    let values: Vec<String> = rows
        .iter()
        .map(|_| {
            let row: Vec<String> = (places.by_ref().take(columns.len()))
                .map(|place| format!("${place}"))
                .collect();
            format!("({})", row.join(","))
        })
        .collect();
    let names = names_of(columns);
    let statement = format!("INSERT INTO {} ({names}) VALUES {}", table.name, values.join(","));
    let mut query = sql::query(AssertSqlSafe(statement));
    for row in rows {
        for column in columns {
            let stored = tables::stored(row, column).map_err(failed(DOING))?;
            query = query.bind(column.kind.bound(stored));
        }
    }
    query.execute(to).await.map(drop).map_err(failed(DOING))
}

fn names_of(columns: &[CopiedColumn]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    names.join(", ")
}

/// Reads a table page by page, in the order of its key.
struct Pages<'a> {
    table: &'a CopiedTable,
    columns: &'a [CopiedColumn],
    /// The key of the last row.
    last: Vec<sql::value::Bound>,
    is_at_end: bool,
}

impl<'a> Pages<'a> {
    fn of(table: &'a CopiedTable, columns: &'a [CopiedColumn]) -> Self {
        Self {
            table,
            columns,
            last: Vec::new(),
            is_at_end: false,
        }
    }

    /// The next rows; none at the end.
    async fn next(&mut self, session: &mut Session) -> Result<Vec<Row>, StoreError> {
        if self.is_at_end {
            return Ok(Vec::new());
        }
        let (names, key) = (names_of(self.columns), self.table.key.join(", "));
        let places: Vec<String> = (1..=self.last.len()).map(|place| format!("${place}")).collect();
        let beyond = match &places[..] {
            [] => String::new(),
            places => format!("WHERE ({key}) > ({})", places.join(", ")),
        };
        let name = self.table.name;
        let statement = format!("SELECT {names} FROM {name} {beyond} ORDER BY {key} LIMIT {ROWS}");
        let mut query = sql::query(AssertSqlSafe(statement));
        for value in &self.last {
            query = query.bind(value.clone());
        }
        let rows = query.fetch_all(session).await.map_err(failed(DOING))?;
        self.is_at_end = rows.len() < ROWS;
        if let Some(last) = rows.last() {
            let key = self.table.key.iter().filter_map(|key| {
                let column = self.columns.iter().find(|column| column.name == *key)?;
                let stored = tables::stored(last, column);
                Some(stored.map(|stored| column.kind.bound(stored)))
            });
            self.last = key.collect::<Result<_, _>>().map_err(failed(DOING))?;
        }
        Ok(rows)
    }
}

/// Both go on with the same numbers.
async fn count_on(from: &mut Session, to: &mut Session) -> Result<(), StoreError> {
    let written = audit_rows::written_up_to(from).await?;
    match to.engine_name() {
        EngineName::Sqlite => {
            run(
                to,
                "DELETE FROM sqlite_sequence WHERE name = 'audit_events'".into(),
            )
            .await?;
            let count = "INSERT INTO sqlite_sequence (name, seq) VALUES ('audit_events', $1)";
            let counted = sql::query(count).bind(written).execute(to).await;
            counted.map(drop).map_err(failed(DOING))
        }
        EngineName::Postgres => {
            for (table, column) in COUNTED {
                run(
                    to,
                    format!(
                        "SELECT setval(pg_get_serial_sequence('{table}', '{column}'),
                             greatest(coalesce(max({column}), 0), 1), count(*) > 0) FROM {table}"
                    ),
                )
                .await?;
            }
            let count = "UPDATE writer SET last_entry = $1, changes = changes + 1 WHERE id = 1";
            let counted = sql::query(count).bind(written).execute(to).await;
            counted.map(drop).map_err(failed(DOING))
        }
    }
}

/// Fails unless each table has the same rows in both. Returns how many there are.
pub(crate) async fn compare(from: &mut Session, to: &mut Session) -> Result<Counts, StoreError> {
    let mut counts = Vec::new();
    for table in &COPIED {
        let columns = same_columns(from, to, table).await?;
        let (rows, digest) = digest(from, table, &columns).await?;
        let (theirs, copied) = self::digest(to, table, &columns).await?;
        if (rows, digest) != (theirs, copied) {
            return Err(StoreError::Unreadable(format!(
                "the table {} has {rows} rows in one place and {theirs} in the other, or not the same ones",
                table.name
            )));
        }
        counts.push((table.name, rows));
    }
    Ok(counts)
}

async fn digest(
    session: &mut Session,
    table: &CopiedTable,
    columns: &[CopiedColumn],
) -> Result<(u64, [u8; 32]), StoreError> {
    let mut digest = Sha256::new();
    let mut pages = Pages::of(table, columns);
    let mut count = 0;
    loop {
        let rows = pages.next(session).await?;
        if rows.is_empty() {
            return Ok((count, digest.finalize().into()));
        }
        for row in &rows {
            count += 1;
            for column in columns {
                let stored = tables::stored(row, column).map_err(failed(DOING))?;
                let number = match stored {
                    Stored::Integer(number) => number.to_be_bytes(),
                    _ => [0; 8],
                };
                let bytes = stored.bytes().unwrap_or(&number);
                // Each part after its length, so that no two rows give the same bytes.
                digest.update(stored.kind());
                digest.update((bytes.len() as u64).to_be_bytes());
                digest.update(bytes);
            }
        }
    }
}
