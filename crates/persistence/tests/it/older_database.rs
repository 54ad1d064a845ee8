//! A database that is older than its checkpoint, or than what a running process saw: nothing of it counts until the operator
//! accepts it.

use sqlx::Row;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::{AccessKeys, AuditHistory, AuditTrail, ConsoleSessions, StoreError};
use vega_persistence::{
    DataSource, SqlAccessRepository, SqlAuditHistory, SqlAuditTrail, SqlCooldownRepository,
    tokens_without_opening,
};

use crate::database_fixture::{DatabaseFixture, at, database_path, entry, key_path, open, url};

use crate::row_values::{Stage, attacker, hash, sql};
use crate::rows_put_back::Kept;

/// The file as it was, put in the place of the one that is.
pub(crate) struct File(Vec<u8>);

impl File {
    pub(crate) async fn keep(fixture: &DatabaseFixture) -> Self {
        let pool = fixture.raw().await;
        sql(&pool, "PRAGMA wal_checkpoint(TRUNCATE)").await;
        pool.close().await;
        Self(std::fs::read(fixture.data.path()).unwrap())
    }

    pub(crate) async fn put_back(&self, fixture: &DatabaseFixture) -> DataSource {
        fixture.data.close().await;
        for suffix in ["-wal", "-shm"] {
            let mut name = database_path(&fixture.dir).into_os_string();
            name.push(suffix);
            let _ = std::fs::remove_file(name);
        }
        std::fs::write(database_path(&fixture.dir), &self.0).unwrap();
        open(&fixture.dir).await
    }
}

pub(crate) fn over(stage: Stage, data: DataSource) -> Stage {
    Stage {
        access: SqlAccessRepository::new(data.clone()),
        cooldowns: SqlCooldownRepository::new(data.clone()),
        open_attempt: stage.open_attempt,
        key: stage.key,
        session: stage.session,
        fixture: DatabaseFixture {
            tokens: vega_persistence::SqlTokenRepository::new(data.clone()),
            runs: vega_persistence::SqlExecutionStateRepository::new(data.clone()),
            journal: vega_persistence::SqlSignInJournal::new(data.clone()),
            data,
            dir: stage.fixture.dir,
        },
    }
}

#[tokio::test]
async fn an_older_database_serves_nothing_until_it_is_accepted() {
    let stage = Stage::new().await;
    let file = File::keep(&stage.fixture).await;
    stage.revoke_token().await;
    let data = file.put_back(&stage.fixture).await;
    let stage = over(stage, data);
    let mistrust = stage.fixture.data.mistrust().await.unwrap().unwrap();
    assert!(mistrust.contains("older than its checkpoint"), "{mistrust}");
    assert!(matches!(
        stage.token().await.unwrap_err(),
        StoreError::NotAccepted(_)
    ));
    assert_eq!(stage.access.keys().await.unwrap(), []);
    assert_eq!(stage.access.session(&hash(9)).await.unwrap(), None);
    assert!(stage.press().await.is_err());
    assert!(stage.fixture.data.prove_writable().await.is_err());
    let dir = &stage.fixture.dir;
    let without = tokens_without_opening(&url(dir), &key_path(dir)).await.unwrap();
    assert!(without.is_empty(), "{without:?}");
    // What is put on record meanwhile makes it no newer.
    let trail = SqlAuditTrail::new(stage.fixture.data.clone());
    for _ in 0..5 {
        let entry = AuditEntry::new(at(30), AuditKind::PreflightFailed, "");
        trail.append(&entry).await.unwrap();
    }
    assert!(stage.fixture.data.mistrust().await.unwrap().is_some());
    // Another process that runs meanwhile learns of the operator's word.
    let other = open(dir).await;
    assert!(other.mistrust().await.unwrap().is_some());
    let accepted = stage
        .fixture
        .data
        .accept("restored Monday's", at(40))
        .await
        .unwrap();
    assert!(accepted.database.is_some());
    for data in [stage.fixture.data.clone(), other, open(dir).await] {
        assert_eq!(data.mistrust().await.unwrap(), None);
    }
    stage.token().await.unwrap();
    assert_eq!(stage.access.keys().await.unwrap().len(), 1);
    let verdict = SqlAuditHistory::new(stage.fixture.data.clone())
        .verify(None)
        .await
        .unwrap();
    assert_eq!((verdict.fault, verdict.checkpoints), (None, 1));
    let kinds = stage.fixture.audit_kinds().await;
    assert_eq!(kinds.last().unwrap(), "database_accepted");
    assert!(
        stage
            .fixture
            .data
            .accept("again", at(41))
            .await
            .unwrap()
            .is_none(),
        "once is enough"
    );
    assert_eq!(stage.fixture.audit_kinds().await.len(), kinds.len());
}

#[tokio::test]
async fn a_revoked_key_does_not_come_back_with_an_older_database() {
    let stage = Stage::new().await;
    let file = File::keep(&stage.fixture).await;
    let audit = entry(AuditKind::KeyRevoked);
    stage.access.revoke_key(stage.key, &audit).await.unwrap();
    let data = file.put_back(&stage.fixture).await;
    assert!(data.mistrust().await.unwrap().is_some());
    assert_eq!(SqlAccessRepository::new(data).keys().await.unwrap(), []);
}

/// A lost file of checkpoints, one that cannot be read, and a torn line are not an older database.
#[tokio::test]
async fn checkpoints_that_are_lost_make_nothing_older() {
    let stage = Stage::new().await;
    stage.revoke_token().await;
    stage.fixture.data.close().await;
    let checkpoints = stage.fixture.dir.path().join("config/vega.checkpoints");
    let text = std::fs::read_to_string(&checkpoints).unwrap();
    for kept in [Some(format!("{text}torn")), Some("nonsense\n".into()), None] {
        match kept {
            Some(text) => std::fs::write(&checkpoints, text).unwrap(),
            None => std::fs::remove_file(&checkpoints).unwrap(),
        }
        let data = open(&stage.fixture.dir).await;
        assert_eq!(data.mistrust().await.unwrap(), None);
        data.close().await;
    }
}

#[tokio::test]
async fn a_process_that_runs_on_notices_an_older_database_without_a_checkpoint() {
    let stage = Stage::new().await;
    std::fs::remove_file(stage.fixture.dir.path().join("config/vega.checkpoints")).unwrap();
    let pool = attacker(&stage.fixture).await;
    Kept::keep(&pool, &["latest_changes"]).await;
    let count: i64 = sqlx::query("SELECT max(id) FROM audit_events")
        .fetch_one(&pool)
        .await
        .unwrap()
        .get(0);
    let trail = SqlAuditTrail::new(stage.fixture.data.clone());
    trail
        .append(&AuditEntry::new(at(8), AuditKind::PlanDeclined, ""))
        .await
        .unwrap();
    assert_eq!(stage.fixture.data.mistrust().await.unwrap(), None);
    sql(&pool, &format!("DELETE FROM audit_events WHERE id > {count}")).await;
    sql(
        &pool,
        &format!("UPDATE sqlite_sequence SET seq = {count} WHERE name = 'audit_events'"),
    )
    .await;
    Kept::put_back(&pool, &["latest_changes"]).await;
    assert!(stage.fixture.data.mistrust().await.unwrap().is_some());
    let other = open(&stage.fixture.dir).await;
    assert_eq!(
        other.mistrust().await.unwrap(),
        None,
        "nothing but a checkpoint could tell another one"
    );
}
