//! `AccessRepository` over SQLite.

use rstest::rstest;
use vega_domain::access::{AccessKey, ConsoleLink, ConsoleSession, Scope, SecretHash};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::{AccessKeyId, KeyName, SessionId};
use vega_domain::ports::{AccessRepository, StoreError, StoredKey};
use vega_persistence::SqliteAccessRepository;

use crate::world::{World, api, at, entry, open};

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

/// At this time.
fn entry_at(kind: AuditKind, seconds: i64) -> AuditEntry {
    AuditEntry {
        at: at(seconds),
        ..entry(kind)
    }
}

async fn add(keys: &SqliteAccessRepository, key: &StoredKey) -> Result<(), StoreError> {
    keys.add_key(key, &entry(AuditKind::KeyAdded)).await
}

async fn put_link(links: &SqliteAccessRepository, made: i64, number: u8) {
    let link = ConsoleLink { made_at: at(made) };
    let audit = entry(AuditKind::ConsoleLinkMade);
    links.put_link(&link, &hash(number), &audit).await.unwrap();
}

async fn redeem(links: &SqliteAccessRepository, link: u8, session: &ConsoleSession, secret: u8) -> bool {
    let audit = entry(AuditKind::ConsoleSessionOpened);
    let (link, secret) = (hash(link), hash(secret));
    let opened = links.redeem_link(&link, session, &secret, &audit);
    opened.await.unwrap()
}

#[tokio::test]
async fn keys_stay_over_a_restart_oldest_first() {
    let world = World::new().await;
    let keys = SqliteAccessRepository::new(world.data.clone());
    let (first, mut second) = (key("trader", 1), key("watcher", 2));
    second.key.expires_at = Some(at(9_000));
    second.key.scopes = vec![Scope::Runs, Scope::Admin];
    add(&keys, &second).await.unwrap();
    add(&keys, &first).await.unwrap();
    let again = SqliteAccessRepository::new(open(&world.dir).await);
    assert_eq!(again.keys().await.unwrap(), [first, second]);
    assert_eq!(world.audit_kinds().await, ["key_added", "key_added"]);
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
    let world = World::new().await;
    let keys = SqliteAccessRepository::new(world.data.clone());
    let (mut trader, watcher) = (key("trader", 1), key("watcher", 2));
    trader.key.expires_at = Some(at(9_000));
    add(&keys, &trader).await.unwrap();
    add(&keys, &watcher).await.unwrap();
    sqlx::query(change).execute(&world.raw().await).await.unwrap();
    assert_eq!(keys.keys().await.unwrap(), [watcher]);
    let broken = world.data.examine_seals(at(10)).await.unwrap();
    assert_eq!(broken.len(), 1, "{broken:?}");
    // Its name is free again, where it still has it.
    add(&keys, &key("trader", 3)).await.unwrap();
}

#[tokio::test]
async fn a_key_that_was_revoked_is_revived_by_nobody() {
    let world = World::new().await;
    let keys = SqliteAccessRepository::new(world.data.clone());
    let trader = key("trader", 1);
    add(&keys, &trader).await.unwrap();
    let audit = entry_at(AuditKind::KeyRevoked, 5);
    assert!(keys.revoke_key(trader.key.id, &audit).await.unwrap());
    let raw = world.raw().await;
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
async fn keys_outlive_a_rotation_and_an_older_process_says_that_it_cannot_tell() {
    let world = World::new().await;
    let older = SqliteAccessRepository::new(world.data.clone());
    let mut revoked = key("watcher", 2);
    let trader = key("trader", 1);
    add(&older, &trader).await.unwrap();
    add(&older, &revoked).await.unwrap();
    let audit = entry_at(AuditKind::KeyRevoked, 5);
    older.revoke_key(revoked.key.id, &audit).await.unwrap();
    revoked.key.revoked_at = Some(at(5));
    world.data.rotate_key(at(10), |_| ()).await.unwrap();
    let refused = older.keys().await.unwrap_err();
    assert!(refused.to_string().contains("was rotated"), "{refused}");
    let newer = SqliteAccessRepository::new(open(&world.dir).await);
    assert_eq!(newer.keys().await.unwrap(), [trader, revoked]);
}

#[rstest]
#[case::living(None, None, false)]
#[case::expired(Some(5), None, true)]
#[case::not_yet_expired(Some(11), None, false)]
#[case::revoked(None, Some(5), true)]
#[tokio::test]
async fn a_name_is_free_as_soon_as_no_living_key_has_it(
    #[case] expires: Option<i64>,
    #[case] revoked: Option<i64>,
    #[case] is_free: bool,
) {
    let world = World::new().await;
    let keys = SqliteAccessRepository::new(world.data.clone());
    let mut first = key("trader", 1);
    first.key.expires_at = expires.map(at);
    add(&keys, &first).await.unwrap();
    if let Some(seconds) = revoked {
        let audit = entry_at(AuditKind::KeyRevoked, seconds);
        assert!(keys.revoke_key(first.key.id, &audit).await.unwrap());
    }
    add(&keys, &key("other", 2)).await.unwrap();
    let added = add(&keys, &key("trader", 10)).await;
    assert_eq!(added.is_ok(), is_free, "{added:?}");
    if !is_free {
        let refused = added.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
        assert_eq!(keys.keys().await.unwrap().len(), 2);
        assert_eq!(world.audit_kinds().await, ["key_added", "key_added"]);
    }
}

#[tokio::test]
async fn a_key_is_revoked_once_and_for_good() {
    let world = World::new().await;
    let keys = SqliteAccessRepository::new(world.data.clone());
    let (trader, watcher) = (key("trader", 1), key("watcher", 2));
    add(&keys, &trader).await.unwrap();
    add(&keys, &watcher).await.unwrap();
    let revoke = async |seconds| {
        keys.revoke_key(trader.key.id, &entry_at(AuditKind::KeyRevoked, seconds))
            .await
            .unwrap()
    };
    assert!(revoke(50).await);
    assert!(!revoke(60).await);
    let stranger = AccessKeyId::at(at(0));
    let audit = entry(AuditKind::KeyRevoked);
    assert!(!keys.revoke_key(stranger, &audit).await.unwrap());
    let mut revoked = trader.clone();
    revoked.key.revoked_at = Some(at(50));
    assert_eq!(keys.keys().await.unwrap(), [revoked, watcher]);
    assert_eq!(
        world.audit_kinds().await,
        ["key_added", "key_added", "key_revoked"],
        "what changed nothing is not on record"
    );
    let undo = sqlx::query("UPDATE access_keys SET revoked_at = NULL");
    assert!(undo.execute(&world.raw().await).await.is_err());
}

#[tokio::test]
async fn the_latest_use_of_a_key_is_kept() {
    let world = World::new().await;
    let keys = SqliteAccessRepository::new(world.data.clone());
    let (trader, watcher) = (key("trader", 1), key("watcher", 2));
    add(&keys, &trader).await.unwrap();
    add(&keys, &watcher).await.unwrap();
    for uses in [
        vec![(trader.key.id, at(70)), (watcher.key.id, at(80))],
        vec![(trader.key.id, at(60)), (watcher.key.id, at(90))],
    ] {
        keys.record_uses(&uses).await.unwrap();
    }
    let used: Vec<_> = keys.keys().await.unwrap();
    let used: Vec<_> = used.iter().map(|stored| stored.key.last_used_at).collect();
    assert_eq!(used, [Some(at(70)), Some(at(90))]);
}

#[tokio::test]
async fn a_link_opens_one_session_whoever_asks_at_once() {
    let world = World::new().await;
    let links = SqliteAccessRepository::new(world.data.clone());
    let elsewhere = SqliteAccessRepository::new(open(&world.dir).await);
    put_link(&links, 0, 1).await;
    let (one, two) = (session(5), session(6));
    let (first, second) = tokio::join!(redeem(&links, 1, &one, 21), redeem(&elsewhere, 1, &two, 22));
    assert!(first ^ second, "{first} {second}");
    let opened = async |secret| links.session(&hash(secret)).await.unwrap();
    assert_eq!(opened(21).await, first.then_some(one));
    assert_eq!(opened(22).await, second.then_some(two));
    assert!(!redeem(&links, 1, &session(7), 23).await);
    assert!(!redeem(&links, 99, &session(7), 24).await);
    assert_eq!(
        world.audit_kinds().await,
        ["console_link_made", "console_session_opened"]
    );
}

#[rstest]
#[case::in_time(59, true)]
#[case::too_late(60, false)]
#[case::from_the_future(-60, false)]
#[tokio::test]
async fn a_link_opens_within_its_life_and_never_later(#[case] opened: i64, #[case] opens: bool) {
    let world = World::new().await;
    let links = SqliteAccessRepository::new(world.data.clone());
    put_link(&links, 0, 1).await;
    assert_eq!(redeem(&links, 1, &session(opened), 21).await, opens);
    assert_eq!(links.session(&hash(21)).await.unwrap().is_some(), opens);
    // Not even when the clock is set to its time.
    assert!(!redeem(&links, 1, &session(1), 22).await);
}

#[tokio::test]
async fn a_session_is_seen_touched_and_ended_once() {
    let world = World::new().await;
    let sessions = SqliteAccessRepository::new(world.data.clone());
    put_link(&sessions, 0, 1).await;
    let mut mine = session(5);
    assert!(redeem(&sessions, 1, &mine, 21).await);
    sessions.touch_session(mine.id, at(65)).await.unwrap();
    mine.last_seen_at = at(65);
    let again = SqliteAccessRepository::new(open(&world.dir).await);
    assert_eq!(again.session(&hash(21)).await.unwrap(), Some(mine.clone()));
    assert_eq!(
        again.session(&hash(1)).await.unwrap(),
        None,
        "the link is no session"
    );

    let ended = entry(AuditKind::ConsoleSessionEnded);
    assert!(again.end_session(mine.id, &ended).await.unwrap());
    assert!(!again.end_session(mine.id, &ended).await.unwrap());
    sessions.touch_session(mine.id, at(70)).await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM console_sessions")
        .fetch_one(&world.raw().await)
        .await
        .unwrap();
    assert_eq!(left, 0, "a late call does not bring it back");
    assert_eq!(
        world.audit_kinds().await,
        [
            "console_link_made",
            "console_session_opened",
            "console_session_ended"
        ]
    );
}

#[tokio::test]
async fn what_has_died_is_forgotten_and_what_lives_is_not() {
    let world = World::new().await;
    let access = SqliteAccessRepository::new(world.data.clone());
    let count = async |table| {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let rows: i64 = sqlx::query_scalar(sql)
            .fetch_one(&world.raw().await)
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
