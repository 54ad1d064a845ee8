//! Whoever writes the database file keeps no program on an old token with it, and has no file removed: what was changed outside Vega
//! counts as if it were not there. A new key takes along what fits.

use sqlx::AssertSqlSafe;
use vega_domain::audit::AuditKind;
use vega_domain::file_delivery::{
    ContentDigest, DeliveryFailure, DeliveryProblem, DeliveryState, FailedTry, FileDelivery, TokenVersion,
};
use vega_domain::ids::Generation;
use vega_domain::ports::FileDeliveries;
use vega_domain::token_file::OnExpiry;
use vega_persistence::SqlFileDeliveries;

use crate::database_fixture::{DatabaseFixture, api, at, entry, open};
use crate::row_values::{attacker, sql};

pub(crate) fn delivery() -> FileDelivery {
    FileDelivery {
        path: "/run/token".into(),
        api: api("PRIMARY"),
        version: TokenVersion::new("2-0011223344556677"),
        generation: Generation::new(2).unwrap(),
        on_expiry: OnExpiry::Remove,
        held: Some(ContentDigest([6; 32])),
        written: Some(ContentDigest([7; 32])),
        state: DeliveryState::Delivered,
        since: at(1),
        failed: Some(FailedTry {
            at: at(2),
            tries: 4,
            failure: DeliveryFailure::new(DeliveryProblem::ThenFailed, "it said no"),
        }),
    }
}

#[tokio::test]
async fn a_delivery_that_was_changed_counts_for_nothing() {
    let fixture = DatabaseFixture::new().await;
    let deliveries = SqlFileDeliveries::new(fixture.data.clone());
    let audit = [entry(AuditKind::FileDelivered)];
    deliveries.record(&delivery(), &audit).await.unwrap();
    let pool = attacker(&fixture).await;
    let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info('file_deliveries')")
        .fetch_all(&pool)
        .await
        .unwrap();
    let mut edits = 0;
    for column in columns {
        for to in [
            "NULL",
            "1",
            "'x'",
            "x'00'",
            "'delivered'",
            "{c} || 'x'",
            "{c} + 1",
        ] {
            let to = to.replace("{c}", &column);
            sql(&pool, "CREATE TEMP TABLE kept AS SELECT * FROM file_deliveries").await;
            let edit = format!("UPDATE file_deliveries SET {column} = {to} WHERE {column} IS NOT {to}");
            let edited = sqlx::raw_sql(AssertSqlSafe(edit)).execute(&pool).await;
            if edited.is_ok_and(|edited| edited.rows_affected() == 1) {
                assert_eq!(deliveries.load().await.unwrap(), [], "{column} = {to}");
                edits += 1;
            }
            sql(
                &pool,
                "DELETE FROM file_deliveries; INSERT INTO file_deliveries SELECT * FROM kept; DROP TABLE kept",
            )
            .await;
        }
    }
    assert!(edits > 40, "{edits}");
    assert_eq!(
        deliveries.load().await.unwrap(),
        [delivery()],
        "every edit was taken back"
    );

    // What counts for nothing is replaced by the next one.
    sql(&pool, "UPDATE file_deliveries SET state = 'ended'").await;
    deliveries.record(&delivery(), &[]).await.unwrap();
    assert_eq!(deliveries.load().await.unwrap(), [delivery()]);
}

#[tokio::test]
async fn a_new_key_takes_deliveries_along_and_none_that_was_changed() {
    let fixture = DatabaseFixture::new().await;
    let deliveries = SqlFileDeliveries::new(fixture.data.clone());
    let changed = FileDelivery {
        path: "/run/changed".into(),
        ..delivery()
    };
    for one in [&delivery(), &changed] {
        deliveries.record(one, &[]).await.unwrap();
    }
    let pool = attacker(&fixture).await;
    let edit = "UPDATE file_deliveries SET version = '9-x' WHERE path = CAST('/run/changed' AS BLOB)";
    sql(&pool, edit).await;
    fixture.data.rotate_key(at(70), |_| ()).await.unwrap();
    let data = open(&fixture.dir).await;
    assert_eq!(SqlFileDeliveries::new(data).load().await.unwrap(), [delivery()]);
}
