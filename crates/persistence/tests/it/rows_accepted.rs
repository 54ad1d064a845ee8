//! What the operator's word makes of a database whose list of latest changes was spoiled, or that was put back with older rows
//! in it: what was revoked does not come back with it. And how often what does not fit goes on record.

use rstest::rstest;
use sqlx::sqlite::SqlitePool;
use vega_domain::audit::AuditKind;
use vega_domain::failure::FailureReason;
use vega_domain::ids::Generation;
use vega_domain::ports::{AccessKeys, ConsoleSessions, TokenCheck, UpstoxTokenRepository};
use vega_domain::row_faults::RowFaults;
use vega_domain::token::{CheckResult, LastCheck};
use vega_persistence::SqlAccessRepository;

use crate::access_repository::key;
use crate::database_fixture::{DatabaseFixture, account, api, at, entry, token};
use crate::older_database::{File, over};
use crate::row_values::{Stage, attacker, hash, sql};
use crate::rows_put_back::Kept;

const SPOILED: &[&str] = &[
    "DELETE FROM latest_changes",
    "UPDATE latest_changes SET marks = '{}'",
    "UPDATE latest_changes SET entry = entry + 1",
    "UPDATE latest_changes SET value = zeroblob(32)",
];

/// What was revoked in between is put back, one row or all.
async fn spoiled(stage: &Stage, pool: &SqlitePool, how: &str) {
    Kept::keep(pool, &["upstox_tokens", "access_keys", "console_sessions"]).await;
    stage.revoke_token().await;
    let audit = entry(AuditKind::KeyRevoked);
    stage.access.revoke_key(stage.key, &audit).await.unwrap();
    let audit = entry(AuditKind::ConsoleSessionEnded);
    stage.access.end_session(stage.session, &audit).await.unwrap();
    Kept::put_back(pool, &["upstox_tokens", "access_keys", "console_sessions"]).await;
    sql(pool, how).await;
}

#[rstest]
#[tokio::test]
async fn what_was_revoked_does_not_come_back_by_the_operators_word(#[values(0, 1, 2, 3)] how: usize) {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    spoiled(&stage, &pool, SPOILED[how]).await;
    let mistrust = stage.fixture.data.mistrust().await.unwrap().unwrap();
    assert!(mistrust.contains("puts the rest out of force"), "{mistrust}");
    let accepted = stage.fixture.data.accept("looked at it", at(60)).await.unwrap();
    assert_eq!(stage.faults().await, RowFaults::default());
    let token = stage.fixture.token("PRIMARY").await;
    assert!(!token.is_servable(at(61)), "{accepted:?}");
    stage.check(CheckResult::Valid, AuditKind::TokenChecked).await;
    assert!(!stage.fixture.token("PRIMARY").await.is_servable(at(61)));
    assert_eq!(stage.access.keys().await.unwrap(), []);
    assert_eq!(stage.access.session(&hash(9)).await.unwrap(), None);
    for what in [
        "the token of PRIMARY, generation 2,",
        "the access key bot",
        "a console session",
    ] {
        assert!(
            accepted.rows.iter().any(|row| row.words.contains(what)),
            "{what}: {accepted:?}"
        );
    }
}

/// A token that Upstox refused is not given out as a good one either.
#[tokio::test]
async fn what_was_refused_since_does_not_come_back_by_the_operators_word() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    Kept::keep(&pool, &["upstox_tokens"]).await;
    stage.check(CheckResult::Invalid, AuditKind::TokenChecked).await;
    Kept::put_back(&pool, &["upstox_tokens"]).await;
    sql(&pool, SPOILED[0]).await;
    stage.fixture.data.accept("looked at it", at(60)).await.unwrap();
    assert!(!stage.fixture.token("PRIMARY").await.is_servable(at(61)));
}

/// What nothing speaks against goes on, where the record of events tells.
#[tokio::test]
async fn what_was_never_revoked_goes_on_after_a_spoiled_list() {
    let stage = Stage::new().await;
    let other = key("other", 5);
    stage
        .access
        .add_key(&other, &entry(AuditKind::KeyAdded))
        .await
        .unwrap();
    sql(&attacker(&stage.fixture).await, SPOILED[0]).await;
    assert_eq!(stage.access.keys().await.unwrap(), []);
    stage.fixture.data.accept("looked at it", at(60)).await.unwrap();
    assert_eq!(stage.access.keys().await.unwrap().len(), 2);
    assert!(stage.fixture.token("PRIMARY").await.is_servable(at(61)));
}

/// Each of several checks in one commit has an entry of its own: none makes another one's row look put back.
#[tokio::test]
async fn what_was_checked_with_others_goes_on_after_a_spoiled_list() {
    let fixture = DatabaseFixture::new().await;
    let apis = ["PRIMARY", "WEBSOCKET1"];
    let run = fixture.running(&apis).await;
    let mut checks = Vec::new();
    for name in apis {
        let attempt = fixture.answered(run, name, 1).await;
        let new = token(attempt, name, 1);
        let stored = entry(AuditKind::TokenStored);
        fixture.tokens.store(&new, &stored).await.unwrap();
        let check = TokenCheck {
            api: api(name),
            generation: Generation::FIRST,
            check: LastCheck {
                at: at(20),
                result: CheckResult::Unknown(FailureReason::Network),
            },
        };
        let audit = entry(AuditKind::TokenChecked).about(&account(), &api(name));
        checks.push((check, audit));
    }
    fixture.tokens.record_checks(&checks).await.unwrap();
    sql(&attacker(&fixture).await, SPOILED[0]).await;
    fixture.data.accept("looked at it", at(60)).await.unwrap();
    for name in apis {
        assert!(fixture.token(name).await.is_servable(at(61)), "{name}");
    }
}

/// Where the record does not fit either, nobody can tell.
#[rstest]
#[case::edited(
    "UPDATE audit_events SET kind = 'plan_declined' WHERE kind IN ('token_revoked', 'key_revoked')"
)]
#[case::cut("DELETE FROM audit_events WHERE id > 12")]
#[case::a_hole("DELETE FROM audit_events WHERE kind IN ('token_revoked', 'key_revoked')")]
#[case::unchained("UPDATE audit_events SET chain = NULL")]
#[tokio::test]
async fn a_record_that_was_spoiled_too_takes_every_key_and_token(#[case] edit: &str) {
    let stage = Stage::new().await;
    let other = key("other", 5);
    stage
        .access
        .add_key(&other, &entry(AuditKind::KeyAdded))
        .await
        .unwrap();
    let pool = attacker(&stage.fixture).await;
    spoiled(&stage, &pool, SPOILED[0]).await;
    sql(&pool, edit).await;
    let accepted = stage.fixture.data.accept("looked at it", at(60)).await.unwrap();
    assert!(accepted.database.is_some());
    assert_eq!(stage.access.keys().await.unwrap(), []);
    assert!(!stage.fixture.token("PRIMARY").await.is_servable(at(61)));
    assert_eq!(stage.faults().await, RowFaults::default());
}

/// An older database, which the operator may well take for Monday's backup, with a row from before that.
#[tokio::test]
async fn an_older_row_within_an_older_database_does_not_count() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    let other = key("other", 5);
    stage
        .access
        .add_key(&other, &entry(AuditKind::KeyAdded))
        .await
        .unwrap();
    Kept::keep(&pool, &["access_keys"]).await;
    let audit = entry(AuditKind::KeyRevoked);
    stage.access.revoke_key(stage.key, &audit).await.unwrap();
    Kept::put_back(&pool, &["access_keys"]).await;
    pool.close().await;
    let file = File::keep(&stage.fixture).await;
    stage.revoke_token().await;
    let data = file.put_back(&stage.fixture).await;
    let stage = over(stage, data);
    assert!(
        stage
            .fixture
            .data
            .mistrust()
            .await
            .unwrap()
            .unwrap()
            .contains("older")
    );
    // What is put on record meanwhile does not spoil what tells.
    let found = stage.fixture.data.examine_rows(at(50)).await.unwrap();
    assert_eq!(found, []);
    stage.fixture.data.accept("Monday's", at(60)).await.unwrap();
    let living = stage.access.keys().await.unwrap();
    assert_eq!(living.len(), 1, "{living:?}");
    assert_eq!(living[0].key.id, other.key.id);
    assert!(
        stage.fixture.token("PRIMARY").await.is_servable(at(61)),
        "as it was then"
    );
}

#[tokio::test]
async fn each_tampering_of_one_row_is_on_record() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    let examine = async |second| stage.fixture.data.examine_rows(at(second)).await.unwrap().len();
    let edit = "UPDATE upstox_tokens SET user_id = 'ZZ9999' WHERE generation = 2";
    Kept::keep(&pool, &["upstox_tokens"]).await;
    sql(&pool, edit).await;
    assert_eq!(
        (examine(80).await, examine(81).await),
        (1, 0),
        "once as long as it stays so"
    );
    sql(
        &pool,
        "UPDATE upstox_tokens SET user_id = 'YY8888' WHERE generation = 2",
    )
    .await;
    assert_eq!((examine(82).await, examine(83).await), (1, 0), "changed again");
    Kept::put_back(&pool, &["upstox_tokens"]).await;
    assert_eq!(examine(84).await, 0, "mended");
    sql(&pool, edit).await;
    assert_eq!((examine(85).await, examine(86).await), (1, 0), "the same again");
    stage.fixture.data.accept("looked at it", at(87)).await.unwrap();
    assert_eq!(examine(88).await, 0);
    sql(
        &pool,
        "UPDATE upstox_tokens SET user_id = 'XX7777' WHERE generation = 2",
    )
    .await;
    assert_eq!(examine(89).await, 1, "after it was accepted");
    sql(&pool, "DELETE FROM access_keys").await;
    assert_eq!((examine(90).await, examine(91).await), (1, 0), "taken away");
    let kinds = stage.fixture.audit_kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "row_broken").count(), 5);
}

/// The checkpoint of a revocation that could not be kept is told, and kept as soon as that works: by any process.
#[tokio::test]
async fn a_checkpoint_that_could_not_be_kept_is_told_and_made_up_for() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new().await;
    let checkpoints = stage.fixture.dir.path().join("config/vega.checkpoints");
    let file = File::keep(&stage.fixture).await;
    assert_eq!(stage.fixture.data.missing_checkpoint(at(50)).await, None);
    let mode = |mode| std::fs::set_permissions(&checkpoints, std::fs::Permissions::from_mode(mode)).unwrap();
    // Vega adds nothing to a file that others may write.
    mode(0o666);
    stage.revoke_token().await;
    for _ in 0..2 {
        let missing = stage.fixture.data.missing_checkpoint(at(51)).await.unwrap();
        assert!(
            missing.contains("no checkpoint") && missing.contains("vega.checkpoints"),
            "{missing}"
        );
    }
    mode(0o600);
    let before = std::fs::read_to_string(&checkpoints).unwrap().lines().count();
    let other = crate::database_fixture::open(&stage.fixture.dir).await;
    let after = std::fs::read_to_string(&checkpoints).unwrap().lines().count();
    assert_eq!(after, before + 1, "the next program keeps it");
    assert_eq!(other.missing_checkpoint(at(52)).await, None);
    assert_eq!(stage.fixture.data.missing_checkpoint(at(52)).await, None);
    assert_eq!(
        std::fs::read_to_string(&checkpoints).unwrap().lines().count(),
        after
    );
    other.close().await;
    let data = file.put_back(&stage.fixture).await;
    assert!(
        data.mistrust()
            .await
            .unwrap()
            .unwrap()
            .contains("older than its checkpoint")
    );
    assert_eq!(SqlAccessRepository::new(data).keys().await.unwrap(), []);
}
