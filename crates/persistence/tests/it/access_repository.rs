//! `AccessKeys, ConsoleSessions` over SQLite: keys that were changed outside Vega, and what is forgotten.

use rstest::rstest;
use vega_domain::access::{AccessKey, ConsoleLink, ConsoleSession, Scope, SecretHash};
use vega_domain::audit::AuditKind;
use vega_domain::ids::{AccessKeyId, KeyName, SessionId};
use vega_domain::ports::{AccessKeys, ConsoleSessions, StoreError, StoredKey};
use vega_persistence::SqlAccessRepository;
use vega_testing::builders::entry_at;

use crate::database_fixture::{DatabaseFixture, api, at, entry, open};

fn hash(number: u8) -> SecretHash {
    SecretHash::from_bytes([number; 32])
}

pub(crate) fn key(name: &str, number: u8) -> StoredKey {
    StoredKey {
        hash: hash(number),
        key: AccessKey {
            id: AccessKeyId::at(at(i64::from(number))),
            name: KeyName::new(name).unwrap(),
            scopes: vec![Scope::Token(api("PRIMARY")), Scope::Status],
            created_at: at(i64::from(number)),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        },
    }
}

fn session(opened: i64) -> ConsoleSession {
    ConsoleSession {
        id: SessionId::at(at(opened)),
        opened_at: at(opened),
        last_seen_at: at(opened),
    }
}

async fn add(keys: &SqlAccessRepository, key: &StoredKey) -> Result<(), StoreError> {
    keys.add_key(key, &entry(AuditKind::KeyAdded)).await
}

async fn put_link(links: &SqlAccessRepository, made: i64, number: u8) {
    let link = ConsoleLink { made_at: at(made) };
    let audit = entry(AuditKind::ConsoleLinkMade);
    links.put_link(&link, &hash(number), &audit).await.unwrap();
}

async fn redeem(links: &SqlAccessRepository, link: u8, session: &ConsoleSession, secret: u8) -> bool {
    let audit = entry(AuditKind::ConsoleSessionOpened);
    let (link, secret) = (hash(link), hash(secret));
    let opened = links.redeem_link(&link, session, &secret, &audit);
    opened.await.unwrap()
}

/// By somebody who can write the file, and has not the root key.
#[rstest]
#[case::renamed("UPDATE access_keys SET name = 'boss' WHERE name = 'trader'")]
#[case::widened("UPDATE access_keys SET scopes = 'admin' WHERE name = 'trader'")]
#[case::prolonged("UPDATE access_keys SET expires_at = NULL WHERE name = 'trader'")]
#[case::with_a_hash_of_their_own(
    "UPDATE access_keys SET sealed_hash = randomblob(length(sealed_hash)) WHERE name = 'trader'"
)]
#[case::with_another_keys_hash(
    "UPDATE access_keys SET sealed_hash = (SELECT sealed_hash FROM access_keys WHERE name = 'watcher')
     WHERE name = 'trader'"
)]
#[case::unreadable("UPDATE access_keys SET scopes = 'everything' WHERE name = 'trader'")]
#[tokio::test]
async fn a_key_that_was_changed_outside_vega_counts_no_more_and_hides_no_other(#[case] change: &'static str) {
    let fixture = DatabaseFixture::new().await;
    let keys = SqlAccessRepository::new(fixture.data.clone());
    let (mut trader, watcher) = (key("trader", 1), key("watcher", 2));
    trader.key.expires_at = Some(at(9_000));
    add(&keys, &trader).await.unwrap();
    add(&keys, &watcher).await.unwrap();
    sqlx::query(change).execute(&fixture.raw().await).await.unwrap();
    assert_eq!(keys.keys().await.unwrap(), [watcher]);
    let broken = fixture.data.examine_seals(at(10)).await.unwrap();
    assert_eq!(broken.len(), 1, "{broken:?}");
    // Its name is free again, where it still has it.
    add(&keys, &key("trader", 3)).await.unwrap();
}

#[tokio::test]
async fn a_key_that_was_revoked_is_revived_by_nobody() {
    let fixture = DatabaseFixture::new().await;
    let keys = SqlAccessRepository::new(fixture.data.clone());
    let trader = key("trader", 1);
    add(&keys, &trader).await.unwrap();
    let audit = entry_at(AuditKind::KeyRevoked, 5);
    assert!(keys.revoke_key(trader.key.id, &audit).await.unwrap());
    let raw = fixture.raw().await;
    let undo = sqlx::query("UPDATE access_keys SET revoked_at = NULL");
    assert!(undo.execute(&raw).await.is_err(), "the database itself refuses");
    for change in [
        "DROP TRIGGER access_keys_stay_revoked",
        "UPDATE access_keys SET revoked_at = NULL",
    ] {
        sqlx::query(change).execute(&raw).await.unwrap();
    }
    assert_eq!(keys.keys().await.unwrap(), []);
    // It can be revoked again, which makes it no better.
    assert!(keys.revoke_key(trader.key.id, &audit).await.unwrap());
}

#[tokio::test]
async fn keys_outlive_a_rotation_and_an_older_process_goes_on() {
    let fixture = DatabaseFixture::new().await;
    let older = SqlAccessRepository::new(fixture.data.clone());
    let mut revoked = key("watcher", 2);
    let trader = key("trader", 1);
    add(&older, &trader).await.unwrap();
    add(&older, &revoked).await.unwrap();
    let audit = entry_at(AuditKind::KeyRevoked, 5);
    older.revoke_key(revoked.key.id, &audit).await.unwrap();
    revoked.key.revoked_at = Some(at(5));
    fixture.data.rotate_key(at(10), |_| ()).await.unwrap();
    let expected = [trader, revoked];
    assert_eq!(older.keys().await.unwrap(), expected);
    let newer = SqlAccessRepository::new(open(&fixture.dir).await);
    assert_eq!(newer.keys().await.unwrap(), expected);
}

#[tokio::test]
async fn what_has_died_is_forgotten_and_what_lives_is_not() {
    let fixture = DatabaseFixture::new().await;
    let access = SqlAccessRepository::new(fixture.data.clone());
    let count = async |table| {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let rows: i64 = sqlx::query_scalar(sql)
            .fetch_one(&fixture.raw().await)
            .await
            .unwrap();
        rows
    };
    put_link(&access, 0, 1).await;
    put_link(&access, 59, 2).await;
    assert_eq!(count("console_links").await, 2);
    put_link(&access, 60, 3).await;
    assert_eq!(count("console_links").await, 2);
    assert!(redeem(&access, 2, &session(61), 21).await);
    assert!(redeem(&access, 3, &session(62), 22).await);
    assert_eq!(count("console_sessions").await, 2);
    // Both are idle by then.
    put_link(&access, 2_000, 4).await;
    assert!(redeem(&access, 4, &session(2_001), 23).await);
    assert_eq!(count("console_sessions").await, 1);
    assert!(access.session(&hash(23)).await.unwrap().is_some());
}
