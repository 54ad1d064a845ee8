//! Access keys and console sessions whose rows somebody edited or took away: the operator revokes and ends them all the same,
//! and what was there before does not come back.

use rstest::rstest;
use vega_domain::access::AccessKey;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::{AccessKeys, ConsoleSessions};

use crate::access_repository::key;
use crate::database_fixture::{at, entry};
use crate::row_values::{Stage, attacker, hash, sql};
use crate::rows_put_back::Kept;

fn told(kind: AuditKind, key: &AccessKey) -> AuditEntry {
    AuditEntry::new(at(30), kind, format!("{} ({}): status", key.name, key.id))
}

#[rstest]
#[case::edited("UPDATE access_keys SET scopes = 'admin' WHERE name = 'other'", &["other"])]
#[case::renamed("UPDATE access_keys SET name = 'new' WHERE name = 'other'", &["other", "new"])]
#[case::unreadable("UPDATE access_keys SET created_at = 'x' WHERE name = 'other'", &["other"])]
#[case::called_revoked("UPDATE access_keys SET revoked_at = created_at WHERE name = 'other'", &["other"])]
#[case::without_a_value("UPDATE access_keys SET row_value = NULL WHERE name = 'other'", &["other"])]
#[case::of_another_id("UPDATE access_keys SET id = x'00000000000000000000000000000001' WHERE name = 'other'", &["other"])]
#[case::taken_away("DELETE FROM access_keys WHERE name = 'other'", &["other"])]
#[tokio::test]
async fn a_key_whose_row_does_not_fit_is_revoked_for_good(#[case] edit: &str, #[case] names: &[&str]) {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    let other = key("other", 5);
    let id = other.key.id;
    stage
        .access
        .add_key(&other, &told(AuditKind::KeyAdded, &other.key))
        .await
        .unwrap();
    assert_eq!(stage.access.unfit_keys().await.unwrap(), []);
    Kept::keep(&pool, &["access_keys"]).await;
    sql(&pool, edit).await;

    let living = stage.access.keys().await.unwrap();
    assert_eq!(living.len(), 1, "one does not hide another");
    let unfit = stage.access.unfit_keys().await.unwrap();
    let unfit = unfit.iter().find(|key| key.id == id).unwrap();
    assert_eq!(unfit.names, names);
    // Nor does it bar a new one.
    let new = key("third", 6);
    let audit = told(AuditKind::KeyAdded, &new.key);
    stage.access.add_key(&new, &audit).await.unwrap();

    let audit = told(AuditKind::KeyRevoked, &other.key);
    assert!(stage.access.revoke_key(id, &audit).await.unwrap());
    assert_eq!(stage.fixture.audit_kinds().await.last().unwrap(), "key_revoked");
    let unfit = stage.access.unfit_keys().await.unwrap();
    assert!(unfit.iter().all(|key| key.id != id), "it is over: {unfit:?}");
    Kept::put_back(&pool, &["access_keys"]).await;
    let living = stage.access.keys().await.unwrap();
    assert!(living.iter().all(|stored| stored.key.id != id), "{living:?}");
    stage.fixture.data.accept("looked at it", at(40)).await.unwrap();
    Kept::put_back(&pool, &["access_keys"]).await;
    let living = stage.access.keys().await.unwrap();
    assert!(living.iter().all(|stored| stored.key.id != id), "{living:?}");
}

#[tokio::test]
async fn a_key_that_never_was_is_not_revoked() {
    let stage = Stage::new().await;
    let kinds = stage.fixture.audit_kinds().await;
    let never = key("never", 8).key;
    let audit = told(AuditKind::KeyRevoked, &never);
    assert!(!stage.access.revoke_key(never.id, &audit).await.unwrap());
    assert_eq!(stage.fixture.audit_kinds().await, kinds);
}

#[tokio::test]
async fn a_session_whose_row_was_taken_away_ends_all_the_same() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    Kept::keep(&pool, &["console_sessions"]).await;
    sql(&pool, "DELETE FROM console_sessions").await;
    let audit = entry(AuditKind::ConsoleSessionEnded);
    assert!(stage.access.end_session(stage.session, &audit).await.unwrap());
    assert_eq!(
        stage.fixture.audit_kinds().await.last().unwrap(),
        "console_session_ended"
    );
    Kept::put_back(&pool, &["console_sessions"]).await;
    assert_eq!(stage.access.session(&hash(9)).await.unwrap(), None);
    let again = stage.access.end_session(stage.session, &audit).await.unwrap();
    assert!(again, "the row is there again, and goes");
    assert!(!stage.access.end_session(stage.session, &audit).await.unwrap());
}
