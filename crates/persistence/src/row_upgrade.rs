//! Rows of before row values: they are sealed at the first start after the change, once, in one commit that is on record.
//! Afterwards a row without a value fits nothing, whoever takes the values away.

use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::StoreError;

use crate::attempt_rows::ended_mark;
use crate::audit_history::SqliteAuditHistory;
use crate::audit_trail;
use crate::data_source::{DataSource, failed};
use crate::latest_changes::Whose;
use crate::row_marks;
use crate::row_values::{self, ALL, ATTEMPTS};
use crate::write::Write;

const DOING: &str = "seal the rows of an earlier Vega";

/// Learns what was kept outside of the database, and seals what was there before row values.
pub(crate) async fn prepare(data: &DataSource) -> Result<(), StoreError> {
    let mut reader = data.reader().acquire().await.map_err(failed(DOING))?;
    data.trust().learn(&mut reader).await?;
    let (is_sealed, entries, is_chained): (bool, bool, bool) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM latest_changes), EXISTS (SELECT 1 FROM audit_events),
             EXISTS (SELECT 1 FROM audit_events WHERE chain IS NOT NULL)",
    )
    .fetch_one(&mut *reader)
    .await
    .map_err(failed(DOING))?;
    if is_sealed {
        return Ok(());
    }
    let mut rows = false;
    for table in ALL {
        rows |= !row_values::all(&mut reader, table).await?.is_empty();
    }
    drop(reader);
    // Somebody may have taken the values away to get others for rows of their own. They cannot make a trail that fits, nor one
    // of a Vega from before: its entries are sealed otherwise. A trail without values, as the very first ones were, proves
    // nothing.
    let is_believed = if entries || rows {
        let examined = SqliteAuditHistory::new(data.clone()).examine(None).await;
        let is_of_before =
            examined.is_ok_and(|(verdict, beside_values)| verdict.fault.is_none() && !beside_values);
        is_chained && is_of_before
    } else {
        true
    };
    if !is_believed {
        tracing::error!("what tells whether rows were changed was taken away outside Vega: no row counts");
        return Ok(());
    }
    let mut tx = data.write_whatever_it_is().await?;
    tx.forget_marks();
    if entries || rows {
        let sealed = seal_all(&mut tx).await?;
        let words = format!("{sealed} rows sealed");
        let at = database_clock(&mut tx).await?;
        audit_trail::insert(&mut tx, &AuditEntry::new(at, AuditKind::RowsSealed, words)).await?;
    }
    tx.commit().await.map_err(failed(DOING))
}

async fn seal_all(tx: &mut Write) -> Result<u64, StoreError> {
    let mut sealed = 0;
    for table in ALL {
        for row in row_values::all(tx, table).await? {
            tx.seal_and_note(table, &row).await?;
            if let Some(api) = row_marks::ended(&row).filter(|_| *table == ATTEMPTS) {
                let mark = ended_mark(&row, tx.entry());
                tx.marks()?.set(Whose::Ended(&api), mark);
            }
            sealed += 1;
        }
    }
    Ok(sealed)
}

/// The database's own: whoever opens it has no other.
async fn database_clock(tx: &mut Write) -> Result<DateTime<Utc>, StoreError> {
    sqlx::query_scalar("SELECT strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now')")
        .fetch_one(&mut **tx)
        .await
        .map_err(failed(DOING))
}

#[cfg(test)]
mod tests {
    use vega_domain::access::{AccessKey, Scope, SecretHash};
    use vega_domain::ids::{AccessKeyId, KeyName};
    use vega_domain::ports::{AccessRepository, StoredKey};

    use super::*;
    use crate::access_repository::SqliteAccessRepository;
    use crate::audit_chain::{RAW_ROWS, RawRow};

    async fn open(dir: &tempfile::TempDir) -> DataSource {
        let url = format!("sqlite://{}", dir.path().join("data/vega_trade.db").display());
        DataSource::open(&url, &dir.path().join("config/vega.key"))
            .await
            .unwrap()
    }

    async fn sql(data: &DataSource, text: &'static str) {
        sqlx::raw_sql(text).execute(data.writer()).await.unwrap();
    }

    async fn key_counts(data: &DataSource) -> bool {
        let keys = SqliteAccessRepository::new(data.clone()).keys().await.unwrap();
        keys.len() == 1
    }

    const NO_VALUES: &str =
        "UPDATE access_keys SET row_entry = NULL, row_value = NULL; DELETE FROM latest_changes";

    /// A database with one key and one entry, as the Vega before row values would have left it.
    async fn of_before(dir: &tempfile::TempDir) -> DataSource {
        let data = open(dir).await;
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let key = AccessKey {
            id: AccessKeyId::at(at),
            name: KeyName::new("bot").unwrap(),
            scopes: vec![Scope::Status],
            created_at: at,
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        let hash = SecretHash::from_bytes([7; 32]);
        let entry = AuditEntry::new(at, AuditKind::KeyAdded, "bot");
        SqliteAccessRepository::new(data.clone())
            .add_key(&StoredKey { key, hash }, &entry)
            .await
            .unwrap();
        sql(&data, NO_VALUES).await;
        sql(&data, "DROP TRIGGER audit_events_are_never_changed").await;
        let mut connection = data.writer().acquire().await.unwrap();
        let id = audit_trail::chain_id(&mut connection).await.unwrap();
        let row: RawRow = sqlx::query_as(RAW_ROWS)
            .bind(1)
            .bind(1)
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        let value = data.chain().of_before(&data.chain().beginning(&id), &row);
        sqlx::query("UPDATE audit_events SET chain = $1")
            .bind(&value[..])
            .execute(&mut *connection)
            .await
            .unwrap();
        drop(connection);
        data
    }

    #[tokio::test]
    async fn rows_of_before_are_sealed_once_and_never_again() {
        let dir = tempfile::tempdir().unwrap();
        of_before(&dir).await.close().await;
        let data = open(&dir).await;
        assert!(key_counts(&data).await);
        let kinds: Vec<String> = sqlx::query_scalar("SELECT kind FROM audit_events ORDER BY id")
            .fetch_all(data.reader())
            .await
            .unwrap();
        assert_eq!(kinds, ["key_added", "rows_sealed"]);
        data.close().await;
        let data = open(&dir).await;
        assert!(key_counts(&data).await, "also at the next start");
        sql(&data, NO_VALUES).await;
        data.close().await;
        let data = open(&dir).await;
        assert!(
            !key_counts(&data).await,
            "values that were taken away are not made anew"
        );
        assert!(data.doubt().await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_database_that_was_born_with_values_is_none_of_before() {
        let dir = tempfile::tempdir().unwrap();
        let data = of_before(&dir).await;
        // The entry that this Vega would have made.
        let entry = AuditEntry::new(
            DateTime::from_timestamp(1_790_000_001, 0).unwrap(),
            AuditKind::PlanDeclined,
            "",
        );
        let mut tx = data.write_whatever_it_is().await.unwrap();
        audit_trail::insert(&mut tx, &entry).await.unwrap();
        tx.commit().await.unwrap();
        data.close().await;
        let data = open(&dir).await;
        assert!(!key_counts(&data).await);
    }

    #[tokio::test]
    async fn a_trail_without_values_or_without_entries_proves_nothing() {
        for stripped in [
            "UPDATE audit_events SET chain = NULL",
            "DROP TRIGGER audit_events_are_never_removed; DELETE FROM audit_events;
             UPDATE audit_chain SET chain_id = randomblob(16)",
            "UPDATE audit_chain SET chain_id = randomblob(16)",
        ] {
            let dir = tempfile::tempdir().unwrap();
            let data = of_before(&dir).await;
            sql(&data, stripped).await;
            data.close().await;
            let data = open(&dir).await;
            assert!(!key_counts(&data).await, "{stripped}");
            assert!(data.doubt().await.unwrap().is_some(), "{stripped}");
        }
    }
}
