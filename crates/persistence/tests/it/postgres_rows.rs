//! What PostgreSQL itself refuses to whoever writes past Vega, and what Vega does with its database as a whole.

use rstest::rstest;
use vega_domain::audit::AuditKind;
use vega_domain::ports::{AuditHistory, AuditTrail, ExecutionStateRepository, UpstoxTokenRepository};
use vega_persistence::{
    DataSource, DatabasePlace, RowScope, SqlAuditHistory, SqlAuditTrail, SqlExecutionStateRepository,
    SqlTokenRepository,
};
use vega_testing::{PostgresServer, TestClock};

use crate::database_fixture::{at, entry, key_path, run};
use crate::postgres_desk::Desk;

#[rstest]
#[case::changed(
    "UPDATE audit_events SET detail = 'nothing happened'",
    "audit events are never changed"
)]
#[case::removed("DELETE FROM audit_events", "audit events are never removed")]
#[case::emptied("TRUNCATE audit_events", "audit events are never removed")]
#[case::numbered_anew(
    "INSERT INTO audit_events (id, at, kind, detail, chain) VALUES (99, '', 'k', '', decode(repeat('00', 32), 'hex'))",
    "does not follow the last one"
)]
#[case::not_kept(
    "INSERT INTO audit_events (id, at, kind, detail, chain)
         SELECT last_entry + 1, '', 'k', '', decode(repeat('00', 32), 'hex') FROM writer",
    "taken over by a newer Vega"
)]
#[case::run_moved("UPDATE execution_runs SET state = 'planned'", "a run does not move this way")]
#[case::run_completed(
    "UPDATE execution_runs SET state = 'completed'",
    "completed only with every step done"
)]
#[case::step_moved(
    "UPDATE execution_steps SET state = 'verifying'",
    "a step does not move this way"
)]
#[case::second_run(
    "INSERT INTO execution_runs (id, state, started_at) VALUES (decode(repeat('07', 16), 'hex'), 'running', '')",
    "one_active_run"
)]
#[case::second_writer(
    "INSERT INTO writer (id, last_entry, changes, epoch) VALUES (2, 0, 0, 0)",
    "writer_id_check"
)]
#[tokio::test]
async fn what_no_vega_does_is_refused(#[case] statement: &str, #[case] refusal: &str) {
    let desk = Desk::new();
    let data = desk.machine("data").await;
    let runs = SqlExecutionStateRepository::new(data.clone());
    runs.begin(&run(&["PRIMARY"]), &entry(AuditKind::RunStarted))
        .await
        .unwrap();
    let said = PostgresServer::shared().refusal(&desk.url, statement);
    assert!(said.contains(refusal), "{said}");
    let verdict = SqlAuditHistory::new(data.clone()).verify(None).await.unwrap();
    assert_eq!((verdict.entries, verdict.fault), (1, None));
}

#[tokio::test]
async fn the_key_is_replaced_and_everything_is_readable_and_chained() {
    let desk = Desk::new();
    let data = desk.machine("data").await;
    SqlAuditTrail::new(data.clone())
        .append(&entry(AuditKind::PlanDeclined))
        .await
        .unwrap();
    data.rotate_key(at(1), |_| ()).await.unwrap();
    data.close().await;
    let data = desk.machine("data").await;
    let verdict = SqlAuditHistory::new(data.clone()).verify(None).await.unwrap();
    assert_eq!((verdict.entries, verdict.fault), (2, None));
    assert_eq!(data.row_faults(RowScope::All).await.unwrap().rows, []);
    assert!(
        SqlTokenRepository::new(data.clone())
            .load_all()
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_database_that_was_put_back_is_older_than_its_checkpoint_and_counts_for_nothing() {
    let desk = Desk::new();
    let data = desk.machine("data").await;
    SqlAuditTrail::new(data.clone())
        .append(&entry(AuditKind::TokenRevoked))
        .await
        .unwrap();
    data.close().await;
    PostgresServer::shared().change(
        &desk.url,
        "ALTER TABLE audit_events DISABLE TRIGGER ALL; DELETE FROM audit_events; UPDATE writer SET last_entry = 0",
    );
    let data = desk.machine("data").await;
    let mistrust = data.mistrust().await.unwrap().unwrap();
    assert!(mistrust.contains("older than its checkpoint"), "{mistrust}");
}

#[tokio::test]
async fn the_server_names_itself_and_its_newest_migration() {
    let facts = Desk::new().machine("data").await.facts().await.unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/postgres");
    let names = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name());
    let newest = names
        .map(|name| name.to_str().unwrap()[..4].parse::<i64>().unwrap())
        .max();
    assert_eq!((facts.engine, Some(facts.schema_version)), ("PostgreSQL", newest));
    assert!(
        facts
            .engine_version
            .starts_with(|digit: char| digit.is_ascii_digit()),
        "{facts:?}"
    );
}

#[tokio::test]
async fn the_password_is_shown_nowhere() {
    let desk = Desk::new();
    let place = DatabasePlace {
        folder: desk.dir.path().join("data"),
        ..DatabasePlace::from(&desk.url)
    };
    let place = place.with_password("CANARY-password".into());
    let data = DataSource::open(&place, &key_path(&desk.dir)).await.unwrap();
    let shown = format!("{place:?} {data:?} {:?}", SqlTokenRepository::new(data.clone()));
    assert!(!shown.contains("CANARY"), "{shown}");
}

/// What is in its rows is no matter of this machine's files.
#[tokio::test]
async fn a_row_that_no_vega_writes_sends_the_operator_to_the_server() {
    let desk = Desk::new();
    let data = desk.machine("data").await;
    let lease = data.login_lease(TestClock::at(at(0)));
    let _held = lease.acquire().await.unwrap();
    desk.change("ALTER TABLE login_lease ALTER COLUMN pid TYPE numeric");
    // Over connections that have not read it before.
    let other = desk.machine("other").await;
    let error = other
        .login_lease(TestClock::at(at(0)))
        .holder()
        .await
        .unwrap_err();
    let words = error.to_string();
    assert!(words.contains("a value of the kind NUMERIC"), "{words}");
    assert!(words.contains("the log of the database server"), "{words}");
}
