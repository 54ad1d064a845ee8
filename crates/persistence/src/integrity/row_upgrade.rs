//! Gives values to the rows of a Vega before row values, once, at the first start, in one commit with an audit entry.
//! If the audit trail does not prove that the rows are unchanged, the operator must accept them first. Afterwards a row
//! without a value is refused, no matter who removed the value.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::StoreError;

use crate::audit::latest_changes::Whose;
use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::write::Write;
use crate::integrity::row_marks;
use crate::integrity::row_values;
use crate::repositories::attempt_rows::ended_mark;
use crate::repositories::audit_history::SqlAuditHistory;
use crate::repositories::{audit_rows, audit_trail};
use crate::sealing::row_values::{ALL, ATTEMPTS};
use crate::sql;
use crate::sql::{EngineName, Session};

const DOING: &str = "seal the rows of an earlier Vega";

/// The kinds of database in respect of row values.
enum Unsealed {
    /// Its rows have values.
    NoMore,
    /// It was just made and is empty.
    New,
    /// Its trail fits: it is as an earlier Vega left it.
    OfBefore,
    /// An earlier Vega wrote it, but the trail does not prove that nobody else wrote to it.
    Unproven(String),
    /// Its rows had values once. Somebody removed them, so that changed rows would be sealed as they are.
    Stripped,
}

/// Reads what was kept outside the database, and seals the rows from before row values.
pub(crate) async fn prepare(data: &DataSource) -> Result<(), StoreError> {
    let mut reader = data.session().await?;
    data.trust().learn(
        &audit_rows::chain_id(&mut reader).await?,
        data.engine().seen_before(),
    );
    let is_sealed: bool = sql::query_scalar("SELECT EXISTS (SELECT 1 FROM latest_changes)")
        .fetch_one(&mut reader)
        .await
        .map_err(failed(DOING))?;
    let what = if is_sealed {
        Unsealed::NoMore
    } else {
        examine(data, &mut reader).await?
    };
    drop(reader);
    match what {
        Unsealed::NoMore => {}
        Unsealed::New => begin(data, false).await?,
        Unsealed::OfBefore => begin(data, true).await?,
        Unsealed::Unproven(why) => {
            tracing::error!(
                why,
                "whether the rows of an earlier Vega are what it left cannot be told"
            );
            data.trust().is_unsealed(why);
        }
        Unsealed::Stripped => {
            tracing::error!(
                "what tells whether rows were changed was taken away outside Vega: no row counts"
            );
        }
    }
    let kept = async {
        if let Some(missing) = data.checkpoint_to_keep().await? {
            let mut reader = data.session().await?;
            let at = database_clock(&mut reader).await?;
            drop(reader);
            missing.keep(data, at).await?;
        }
        Ok::<(), StoreError>(())
    };
    if let Err(error) = kept.await {
        tracing::error!(%error, "a checkpoint is missing: putting an older database back could undo what was done");
    }
    Ok(())
}

async fn examine(data: &DataSource, reader: &mut Session) -> Result<Unsealed, StoreError> {
    let (entries, is_chained): (bool, bool) = sql::query_as(
        "SELECT EXISTS (SELECT 1 FROM audit_events), EXISTS (SELECT 1 FROM audit_events WHERE chain IS NOT NULL)",
    )
    .fetch_one(&mut *reader)
    .await
    .map_err(failed(DOING))?;
    let (mut rows, mut values) = (false, false);
    for table in ALL {
        let (is_there, is_valued): (bool, bool) = sql::query_as(AssertSqlSafe(format!(
            "SELECT EXISTS (SELECT 1 FROM {0}),
                 EXISTS (SELECT 1 FROM {0} WHERE row_entry IS NOT NULL OR row_value IS NOT NULL)",
            table.name
        )))
        .fetch_one(&mut *reader)
        .await
        .map_err(failed(DOING))?;
        (rows, values) = (rows || is_there, values || is_valued);
    }
    if !entries && !rows {
        return Ok(Unsealed::New);
    }
    let chain_id = audit_rows::chain_id(&mut *reader).await?;
    let history = SqlAuditHistory::new(data.clone());
    // Kept where who writes the database does not write.
    let (kept, unread) = match data.checkpoints().newest(&chain_id) {
        Ok(newest) => (newest.is_told_of || newest.is_strange, None),
        Err(error) => (false, Some(error)),
    };
    // Nobody without the key makes a trail that fits, nor one of a Vega from before: its entries are sealed otherwise.
    let (verdict, beside_values) = history.examine().await?;
    if values || kept || beside_values {
        return Ok(Unsealed::Stripped);
    }
    Ok(match (unread, verdict.fault) {
        (Some(error), _) => Unsealed::Unproven(error.to_string()),
        (None, Some(fault)) => Unsealed::Unproven(fault.to_string()),
        (None, None) if is_chained => Unsealed::OfBefore,
        (None, None) => Unsealed::Unproven("its record of events is from before Vega sealed that".into()),
    })
}

/// Begins the list of latest changes, with the existing rows.
async fn begin(data: &DataSource, with_rows: bool) -> Result<(), StoreError> {
    let mut tx = data.write_whatever_it_is().await?;
    tx.forget_marks();
    if with_rows {
        let sealed = seal_all(&mut tx).await?;
        let words = format!("{sealed} rows sealed");
        let at = database_clock(&mut tx).await?;
        audit_trail::insert(&mut tx, &AuditEntry::new(at, AuditKind::RowsSealed, words)).await?;
    }
    tx.commit().await.map_err(failed(DOING))
}

/// Seals every row as it is. Returns how many there are.
pub(crate) async fn seal_all(tx: &mut Write) -> Result<u64, StoreError> {
    let mut sealed = 0;
    for table in ALL {
        for row in row_values::all(tx, table).await? {
            tx.seal_and_note(table, &row).await?;
            if let Some(api) = row_marks::ended(&row).filter(|_| *table == ATTEMPTS) {
                let mark = ended_mark(&row, tx.entry());
                let marks = tx.marks()?;
                if marks
                    .get(Whose::Ended(&api))
                    .is_none_or(|known| known.number <= mark.number)
                {
                    marks.set(Whose::Ended(&api), mark);
                }
            }
            sealed += 1;
        }
    }
    Ok(sealed)
}

/// The database's own clock: the code that opens a database has no other.
async fn database_clock(connection: &mut Session) -> Result<DateTime<Utc>, StoreError> {
    let now = match connection.engine_name() {
        EngineName::Sqlite => "SELECT strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now')",
        EngineName::Postgres => {
            "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"+00:00\"')"
        }
    };
    sql::query_scalar(now)
        .fetch_one(connection)
        .await
        .map_err(failed(DOING))
}

#[cfg(test)]
mod tests;
