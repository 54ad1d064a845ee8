//! A database that is moved from a file to a server, and back: everything is there as it was, one place counts at a time, and what is in
//! the way is refused by name before anything is written.

use std::path::PathBuf;

use rstest::rstest;
use vega_domain::audit::AuditKind;
use vega_domain::ports::{
    AccessKeys, AuditHistory, AuditTrail, Lease, OtpLedger, StoreError, UpstoxTokenRepository,
};
use vega_domain::row_faults::RowFaults;
use vega_persistence::{
    DataSource, DatabasePlace, MoveError, MoveStep, Moved, OpenError, Relocation, RowScope,
    SqlAccessRepository, SqlAuditHistory, SqlAuditTrail, tokens_without_opening,
};
use vega_testing::PostgresServer;

use crate::access_repository::key;
use crate::database_fixture::{DatabaseFixture, at, entry, key_path, mobile, url};
use crate::key_rotation::{assert_all_opens, sealed};
use crate::login_lease::OneBoot;
use crate::row_values::sql;
use crate::spool::Desk;

/// The two places of one installation.
pub(crate) struct Places {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) server: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    File,
    Server,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::File => Self::Server,
            Self::Server => Self::File,
        }
    }
}

impl Places {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            server: PostgresServer::shared().fresh_database(),
        }
    }

    pub(crate) fn place(&self, side: Side) -> DatabasePlace {
        let url = match side {
            Side::File => url(&self.dir),
            Side::Server => self.server.clone(),
        };
        DatabasePlace {
            folder: self.dir.path().join("data"),
            ..DatabasePlace::from(&url)
        }
    }

    pub(crate) fn key(&self) -> PathBuf {
        key_path(&self.dir)
    }

    pub(crate) async fn open(&self, side: Side) -> Result<DataSource, OpenError> {
        DataSource::open(self.place(side), &self.key()).await
    }

    /// A value in every table, some of it sealed with an earlier key.
    pub(crate) async fn filled(self, side: Side) -> Self {
        let data = self.open(side).await.unwrap();
        let before = DatabaseFixture::of(self.dir, data);
        sealed(&before).await;
        before.data.rotate_key(at(60), |_| ()).await.unwrap();
        before.data.close().await;
        let places = Self {
            dir: before.dir,
            server: self.server,
        };
        let data = places.open(side).await.unwrap();
        let keys = SqlAccessRepository::new(data.clone());
        keys.add_key(&key("bot", 1), &entry(AuditKind::KeyAdded))
            .await
            .unwrap();
        data.close().await;
        places
    }

    pub(crate) async fn relocate(
        &self,
        from: Side,
        passed: impl Fn(MoveStep) + Send + Sync,
    ) -> Result<Moved, MoveError> {
        let source = Relocation::open(&self.place(from), &self.key()).await?;
        let held = lease_of(&source).await;
        let moved = source.move_to(&self.place(from.other()), at(100), passed).await;
        drop(held);
        source.close().await;
        moved
    }

    /// One number that the database says, past Vega.
    pub(crate) async fn ask(&self, side: Side, question: &'static str) -> String {
        match side {
            Side::Server => PostgresServer::shared().ask(&self.server, question),
            Side::File => {
                let file = sqlx::SqlitePool::connect(&url(&self.dir)).await.unwrap();
                let number: i64 = sqlx::query_scalar(question).fetch_one(&file).await.unwrap();
                file.close().await;
                number.to_string()
            }
        }
    }

    /// How many rows the tables have that both engines have.
    pub(crate) async fn counts(&self, side: Side) -> Vec<(String, i64)> {
        let file = sqlx::SqlitePool::connect(&url(&self.dir)).await.unwrap();
        let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'
            AND name NOT IN ('_sqlx_migrations', 'login_lease', 'database_move') ORDER BY name";
        let names: Vec<String> = sqlx::query_scalar(names).fetch_all(&file).await.unwrap();
        let mut counts = Vec::new();
        for name in names {
            let question = format!("SELECT count(*) FROM {name}");
            let count = match side {
                Side::File => sqlx::query_scalar(sqlx::AssertSqlSafe(question))
                    .fetch_one(&file)
                    .await
                    .unwrap(),
                Side::Server => PostgresServer::shared()
                    .ask(&self.server, &question)
                    .parse()
                    .unwrap(),
            };
            counts.push((name, count));
        }
        file.close().await;
        counts
    }
}

/// A database that has gone has none.
pub(crate) async fn lease_of(source: &Relocation) -> Option<Box<dyn Lease>> {
    if source.has_gone().await.unwrap() {
        return None;
    }
    let lease = source.data().login_lease(std::sync::Arc::new(OneBoot));
    Some(lease.acquire().await.unwrap())
}

pub(crate) async fn assert_whole(data: &DataSource, entries: u64) {
    assert_all_opens(data).await;
    let verdict = SqlAuditHistory::new(data.clone()).verify(None).await.unwrap();
    assert_eq!((verdict.entries, verdict.fault), (entries, None));
    assert_eq!(
        data.row_faults(RowScope::All).await.unwrap(),
        RowFaults::default()
    );
    let ledger = vega_persistence::SqlSignInJournal::new(data.clone());
    ledger.otp_presses(&[mobile()], 4).await.unwrap();
}

async fn entries(data: &DataSource) -> u64 {
    SqlAuditHistory::new(data.clone())
        .verify(None)
        .await
        .unwrap()
        .entries
}

#[rstest]
#[tokio::test]
async fn everything_is_there_and_back_as_it_was(#[values(Side::File, Side::Server)] from: Side) {
    let places = Places::new().filled(from).await;
    let data = places.open(from).await.unwrap();
    let before = entries(&data).await;
    data.close().await;
    // A file that is not there has no tables to be counted.
    let mut counted = None;
    if from == Side::File {
        counted = Some(places.counts(from).await);
    }
    let moved = places.relocate(from, |_| ()).await.unwrap();
    assert_eq!((moved.audit_entries, moved.fault.as_ref()), (before + 1, None));
    assert_eq!((moved.opened, moved.unreadable.len()), (6, 0), "{moved:?}");
    assert!(
        moved.rows.iter().filter(|(_, rows)| *rows > 0).count() >= 9,
        "{moved:?}"
    );

    let refused = places.open(from).await.unwrap_err();
    let to = places.place(from.other()).url;
    assert!(matches!(refused, OpenError::Moved(_)), "{refused}");
    assert!(
        refused
            .to_string()
            .contains(&format!("Set VEGA__DATABASE__URL={to}")),
        "{refused}"
    );
    let data = places.open(from.other()).await.unwrap();
    assert_whole(&data, before + 2).await;
    SqlAuditTrail::new(data.clone())
        .append(&entry(AuditKind::PlanDeclined))
        .await
        .unwrap();
    data.close().await;
    if let Some(counted) = counted {
        let mut expected = counted;
        for (name, count) in &mut expected {
            if name == "audit_events" {
                *count += 3;
            }
        }
        assert_eq!(places.counts(from.other()).await, expected);
    }

    // Home again, once the old one is put away.
    match from {
        Side::File => std::fs::rename(
            places.dir.path().join("data/vega_trade.db"),
            places.dir.path().join("data/old.db"),
        )
        .unwrap(),
        Side::Server => PostgresServer::shared()
            .change(&places.server, "DROP SCHEMA public CASCADE; CREATE SCHEMA public"),
    }
    places.relocate(from.other(), |_| ()).await.unwrap();
    let data = places.open(from).await.unwrap();
    assert_whole(&data, before + 5).await;
}

#[rstest]
#[tokio::test]
async fn new_rows_get_numbers_of_their_own(#[values(Side::File, Side::Server)] from: Side) {
    let places = Places::new().filled(from).await;
    places.relocate(from, |_| ()).await.unwrap();
    let data = places.open(from.other()).await.unwrap();
    let keys = SqlAccessRepository::new(data.clone());
    keys.add_key(&key("bot2", 2), &entry(AuditKind::KeyAdded))
        .await
        .unwrap();
    assert_eq!(keys.keys().await.unwrap().len(), 2);
}

#[rstest]
#[tokio::test]
async fn what_is_in_the_way_is_refused_and_left_as_it_was(#[values(Side::File, Side::Server)] from: Side) {
    let places = Places::new().filled(from).await;
    let before = SqlAuditTrail::new(places.open(from.other()).await.unwrap());
    before.append(&entry(AuditKind::PlanDeclined)).await.unwrap();
    let refused = places.relocate(from, |_| ()).await.unwrap_err();
    assert!(matches!(refused, MoveError::NotEmpty(_)), "{refused}");
    let there = places.open(from.other()).await.unwrap();
    assert_eq!(entries(&there).await, 1);
    let here = places.open(from).await.unwrap();
    SqlAuditTrail::new(here)
        .append(&entry(AuditKind::PlanDeclined))
        .await
        .unwrap();
}

#[rstest]
#[tokio::test]
async fn a_place_where_vega_only_started_is_taken(#[values(Side::File, Side::Server)] from: Side) {
    let places = Places::new().filled(from).await;
    places.open(from.other()).await.unwrap().close().await;
    places.relocate(from, |_| ()).await.unwrap();
    assert_all_opens(&places.open(from.other()).await.unwrap()).await;
}

#[rstest]
#[tokio::test]
async fn a_place_of_another_key_is_refused(#[values(Side::File, Side::Server)] from: Side) {
    let places = Places::new().filled(from).await;
    let other_key = places.dir.path().join("config/other.key");
    DataSource::open(places.place(from.other()), &other_key)
        .await
        .unwrap()
        .close()
        .await;
    let refused = places.relocate(from, |_| ()).await.unwrap_err();
    assert!(matches!(refused, MoveError::AnotherKey(_)), "{refused}");
}

#[tokio::test]
async fn tables_of_another_program_are_refused() {
    let places = Places::new().filled(Side::File).await;
    PostgresServer::shared().change(&places.server, "CREATE TABLE theirs (id bigint)");
    let refused = places.relocate(Side::File, |_| ()).await.unwrap_err();
    assert!(matches!(refused, MoveError::NotOurs(_)), "{refused}");
    let there = PostgresServer::shared().ask(
        &places.server,
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
    );
    assert_eq!(there, "1");
}

#[tokio::test]
async fn a_file_is_not_moved_to_a_file() {
    let places = Places::new().filled(Side::File).await;
    let source = Relocation::open(&places.place(Side::File), &places.key())
        .await
        .unwrap();
    let to = DatabasePlace::from("sqlite:///elsewhere/vega.db");
    let refused = source.move_to(&to, at(1), |_| ()).await.unwrap_err();
    assert!(matches!(refused, MoveError::SameEngine(_)), "{refused}");
    let to = DatabasePlace::from("postgres://vega:CANARY@db/desk");
    let refused = source.move_to(&to, at(1), |_| ()).await.unwrap_err().to_string();
    assert!(
        refused.contains("holds a password") && !refused.contains("CANARY"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_the_spool_keeps_goes_first() {
    let desk = Desk::new().await;
    desk.kept_token().await;
    let places = Places {
        dir: desk.fixture.dir,
        server: PostgresServer::shared().fresh_database(),
    };
    let refused = places.relocate(Side::File, |_| ()).await.unwrap_err();
    assert!(matches!(refused, MoveError::Spooled), "{refused}");
    places.open(Side::File).await.unwrap();
}

#[tokio::test]
async fn what_was_changed_outside_is_settled_first() {
    let places = Places::new().filled(Side::File).await;
    let file = sqlx::SqlitePool::connect(&url(&places.dir)).await.unwrap();
    sql(&file, "UPDATE upstox_tokens SET user_id = 'EVE'").await;
    file.close().await;
    let refused = places.relocate(Side::File, |_| ()).await.unwrap_err();
    assert!(matches!(refused, MoveError::NotTrusted(_)), "{refused}");
    places.open(Side::File).await.unwrap();
}

/// A program that runs on where the database was.
#[rstest]
#[tokio::test]
async fn who_has_the_source_open_reads_and_writes_nothing_more(
    #[values(Side::File, Side::Server)] from: Side,
) {
    let places = Places::new().filled(from).await;
    let server = places.open(from).await.unwrap();
    let tokens = vega_persistence::SqlTokenRepository::new(server.clone());
    assert!(tokens.load_all().await.unwrap()[0].is_ok());
    let trail = SqlAuditTrail::new(server.clone());
    let passed = std::sync::Mutex::new(Vec::new());
    let moved = places.relocate(from, |step| passed.lock().unwrap().push(step));
    moved.await.unwrap();
    assert_eq!(*passed.lock().unwrap(), MoveStep::ALL);
    let refused = trail.append(&entry(AuditKind::PlanDeclined)).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotAccepted(_)), "{refused}");
    let stored = tokens.load_all().await.unwrap();
    assert!(stored.iter().all(Result::is_err), "{stored:?}");
    if from == Side::File {
        let read = tokens_without_opening(&url(&places.dir), &places.key())
            .await
            .unwrap();
        assert!(read.is_empty());
    }
    assert!(
        DataSource::open_to_read(places.place(from), &places.key())
            .await
            .is_none()
    );
}
