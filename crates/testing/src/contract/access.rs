//! The contracts of `AccessKeys` and `ConsoleSessions`.

use vega_domain::access::{AccessKey, ConsoleLink, ConsoleSession, Scope, SecretHash};
use vega_domain::audit::AuditKind;
use vega_domain::ids::{AccessKeyId, KeyName, SessionId};
use vega_domain::ports::{ConsoleSessions, StoreError, StoredKey, UnfitKey};

use super::contract_fixture::{ContractFixture, is_conflict};
use super::installation::Installation;
use crate::builders::{api, at, entry, entry_at};

pub(super) fn hash(number: u8) -> SecretHash {
    SecretHash::from_bytes([number; 32])
}

pub(super) fn key(name: &str, number: u8) -> StoredKey {
    let made = at(i64::from(number));
    StoredKey {
        hash: hash(number),
        key: AccessKey {
            id: AccessKeyId::at(made),
            name: KeyName::new(name).unwrap(),
            scopes: vec![Scope::Token(api("PRIMARY")), Scope::Status],
            created_at: made,
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

async fn redeem(sessions: &dyn ConsoleSessions, link: u8, session: &ConsoleSession, secret: u8) -> bool {
    let audit = entry(AuditKind::ConsoleSessionOpened);
    let (link, secret) = (hash(link), hash(secret));
    let opened = sessions.redeem_link(&link, session, &secret, &audit);
    opened.await.unwrap()
}

impl<I: Installation> ContractFixture<I> {
    async fn add(&self, key: &StoredKey) -> Result<(), StoreError> {
        self.keys.add_key(key, &entry(AuditKind::KeyAdded)).await
    }

    async fn revoke(&self, id: AccessKeyId, seconds: i64) -> bool {
        let audit = entry_at(AuditKind::KeyRevoked, seconds);
        self.keys.revoke_key(id, &audit).await.unwrap()
    }

    async fn keys(&self) -> Vec<StoredKey> {
        self.keys.keys().await.unwrap()
    }

    async fn put_link(&self, made: i64, number: u8) {
        let link = ConsoleLink { made_at: at(made) };
        let audit = entry(AuditKind::ConsoleLinkMade);
        let put = self.sessions.put_link(&link, &hash(number), &audit).await;
        put.unwrap();
    }
}

pub async fn keys_stay_over_a_restart_oldest_first<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let (first, mut second) = (key("trader", 1), key("watcher", 2));
    second.key.expires_at = Some(at(9_000));
    second.key.scopes = vec![Scope::Runs, Scope::Admin];
    fixture.add(&second).await.unwrap();
    fixture.add(&first).await.unwrap();
    let again = fixture.elsewhere().await.keys;
    assert_eq!(again.keys().await.unwrap(), [first, second]);
    assert_eq!(again.unfit_keys().await.unwrap(), []);
    assert_eq!(fixture.count(AuditKind::KeyAdded).await, 2);
}

pub async fn a_name_is_free_as_soon_as_no_living_key_has_it<I: Installation>() {
    for (expires, revoked, is_free) in [
        (None, None, false),
        (Some(5), None, true),
        (Some(11), None, false),
        (None, Some(5), true),
    ] {
        let fixture = ContractFixture::<I>::new().await;
        let mut first = key("trader", 1);
        first.key.expires_at = expires.map(at);
        fixture.add(&first).await.unwrap();
        if let Some(seconds) = revoked {
            assert!(fixture.revoke(first.key.id, seconds).await);
        }
        fixture.add(&key("other", 2)).await.unwrap();
        let added = fixture.add(&key("trader", 10)).await;
        let case = format!("expires {expires:?}, revoked {revoked:?}");
        assert_eq!(added.is_ok(), is_free, "{case}: {added:?}");
        if !is_free {
            is_conflict(&added);
            assert_eq!(fixture.keys().await.len(), 2, "{case}");
            assert_eq!(fixture.count(AuditKind::KeyAdded).await, 2, "{case}");
        }
    }
}

pub async fn a_key_is_revoked_once_and_for_good<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let (trader, watcher) = (key("trader", 1), key("watcher", 2));
    fixture.add(&trader).await.unwrap();
    fixture.add(&watcher).await.unwrap();
    assert!(fixture.revoke(trader.key.id, 50).await);
    assert!(!fixture.revoke(trader.key.id, 60).await);
    assert!(!fixture.revoke(AccessKeyId::at(at(0)), 60).await, "there is none");
    let mut revoked = trader;
    revoked.key.revoked_at = Some(at(50));
    assert_eq!(fixture.keys().await, [revoked, watcher]);
    assert_eq!(
        fixture.count(AuditKind::KeyRevoked).await,
        1,
        "what changed nothing is not on record"
    );
}

pub async fn a_damaged_key_counts_no_more_and_hides_no_other<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let (trader, watcher) = (key("trader", 1), key("watcher", 2));
    fixture.add(&trader).await.unwrap();
    fixture.add(&watcher).await.unwrap();
    fixture.damage_key(trader.key.id).await;
    assert_eq!(fixture.keys().await, std::slice::from_ref(&watcher));
    let told = UnfitKey {
        id: trader.key.id,
        names: vec!["trader".into()],
    };
    assert_eq!(fixture.keys.unfit_keys().await.unwrap(), [told]);
    let again = key("trader", 3);
    fixture.add(&again).await.unwrap();
    assert_eq!(fixture.keys().await, [watcher, again]);
}

pub async fn a_damaged_key_is_revoked_once_and_for_good<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let (trader, watcher) = (key("trader", 1), key("watcher", 2));
    fixture.add(&trader).await.unwrap();
    fixture.add(&watcher).await.unwrap();
    fixture.damage_key(trader.key.id).await;
    assert!(fixture.revoke(trader.key.id, 50).await);
    assert_eq!(fixture.keys.unfit_keys().await.unwrap(), [], "it is over");
    let again = fixture.elsewhere().await.keys;
    assert_eq!(again.unfit_keys().await.unwrap(), [], "over a restart too");
    let revoked = again
        .revoke_key(trader.key.id, &entry_at(AuditKind::KeyRevoked, 60))
        .await;
    assert!(!revoked.unwrap());
    let new = key("trader", 3);
    fixture.add(&new).await.unwrap();
    assert_eq!(again.keys().await.unwrap(), [watcher, new]);
    assert_eq!(fixture.count(AuditKind::KeyRevoked).await, 1);
}

pub async fn the_latest_use_of_a_key_is_kept<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let (trader, watcher) = (key("trader", 1), key("watcher", 2));
    fixture.add(&trader).await.unwrap();
    fixture.add(&watcher).await.unwrap();
    for uses in [
        [(trader.key.id, at(70)), (watcher.key.id, at(80))],
        [(trader.key.id, at(60)), (watcher.key.id, at(90))],
    ] {
        fixture.keys.record_uses(&uses).await.unwrap();
    }
    let keys = fixture.keys().await;
    let used: Vec<_> = keys.iter().map(|stored| stored.key.last_used_at).collect();
    assert_eq!(used, [Some(at(70)), Some(at(90))]);
}

pub async fn a_link_opens_one_session_whoever_asks_at_once<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let elsewhere = fixture.elsewhere().await.sessions;
    fixture.put_link(0, 1).await;
    let (one, two) = (session(5), session(6));
    let (first, second) = tokio::join!(
        redeem(&*fixture.sessions, 1, &one, 21),
        redeem(&*elsewhere, 1, &two, 22)
    );
    assert!(first ^ second, "{first} {second}");
    let opened = async |secret| fixture.sessions.session(&hash(secret)).await.unwrap();
    assert_eq!(opened(21).await, first.then_some(one));
    assert_eq!(opened(22).await, second.then_some(two));
    assert!(!redeem(&*fixture.sessions, 1, &session(7), 23).await);
    assert!(!redeem(&*fixture.sessions, 99, &session(7), 24).await);
    assert_eq!(
        fixture.audit_kinds().await,
        [AuditKind::ConsoleLinkMade, AuditKind::ConsoleSessionOpened]
    );
}

pub async fn a_link_opens_within_its_life_and_never_later<I: Installation>() {
    for (opened, opens) in [(59, true), (60, false), (-60, false)] {
        let fixture = ContractFixture::<I>::new().await;
        fixture.put_link(0, 1).await;
        let sessions = &*fixture.sessions;
        assert_eq!(redeem(sessions, 1, &session(opened), 21).await, opens, "{opened}");
        let found = sessions.session(&hash(21)).await.unwrap();
        assert_eq!(found.is_some(), opens, "{opened}");
        // Not even when the clock is set to its time.
        assert!(!redeem(sessions, 1, &session(1), 22).await, "{opened}");
    }
}

pub async fn a_session_is_seen_touched_and_ended_once<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    fixture.put_link(0, 1).await;
    let mut mine = session(5);
    assert!(redeem(&*fixture.sessions, 1, &mine, 21).await);
    fixture.sessions.touch_session(mine.id, at(65)).await.unwrap();
    mine.last_seen_at = at(65);
    let again = fixture.elsewhere().await.sessions;
    let found = async |secret| again.session(&hash(secret)).await.unwrap();
    assert_eq!(found(21).await, Some(mine.clone()));
    assert_eq!(found(1).await, None, "the link is no session");

    let ended = entry(AuditKind::ConsoleSessionEnded);
    assert!(again.end_session(mine.id, &ended).await.unwrap());
    assert!(!again.end_session(mine.id, &ended).await.unwrap());
    fixture.sessions.touch_session(mine.id, at(70)).await.unwrap();
    assert_eq!(found(21).await, None, "a late call does not bring it back");
    assert_eq!(fixture.count(AuditKind::ConsoleSessionEnded).await, 1);
}

pub async fn a_link_that_is_dead_when_the_next_is_made_is_forgotten<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    fixture.put_link(0, 1).await;
    fixture.put_link(60, 2).await;
    // Not even a clock that is set back brings it back.
    assert!(!redeem(&*fixture.sessions, 1, &session(5), 21).await);
    assert!(redeem(&*fixture.sessions, 2, &session(65), 22).await);
}

pub async fn a_session_that_is_dead_when_the_next_opens_is_forgotten<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let later = 1_000_000;
    for (made, number) in [(0, 1), (later, 2)] {
        fixture.put_link(made, number).await;
        assert!(redeem(&*fixture.sessions, number, &session(made), 20 + number).await);
    }
    let found = async |secret| fixture.sessions.session(&hash(secret)).await.unwrap();
    assert_eq!(found(21).await, None);
    assert_eq!(found(22).await.map(|session| session.opened_at), Some(at(later)));
}
