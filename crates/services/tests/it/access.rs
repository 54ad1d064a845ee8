//! `AccessService` on paused time: a key counts while it lives and says what it may do, whichever process changes it; one
//! link opens one session; nothing that is kept or shown holds a secret.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use tokio::time::{advance, sleep};
use vega_domain::access::{ConsoleSession, Scope};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::{AccessKeyId, ApiName, KeyName, SessionId};
use vega_domain::ports::{AccessKeys, Clock, MockAccessKeys, MockConsoleSessions, StoreError};
use vega_services::{AccessError, AccessService};
use vega_testing::{MemoryStore, PausedClock};

use crate::disk::Disk;
use crate::generation_fixture::ist;

/// Longer than the service may need for anything that it does by itself.
const SOON: Duration = Duration::from_secs(2);

struct AccessFixture {
    disk: Arc<Disk>,
    store: Arc<MemoryStore>,
    clock: Arc<PausedClock>,
    access: AccessService,
}

impl AccessFixture {
    fn new() -> Self {
        let disk = Arc::<Disk>::default();
        let store = Arc::new(MemoryStore::watched_by(disk.clone()));
        let changes = Arc::new(store.changes());
        let clock = PausedClock::at(ist("2026-11-23T08:45:00"));
        Self {
            access: AccessService::new(store.clone(), store.clone(), changes, clock.clone()),
            disk,
            store,
            clock,
        }
    }

    /// Another process over the same database.
    fn elsewhere(&self) -> AccessService {
        // Its own news go to nobody.
        let changes = Arc::new(MemoryStore::default().changes());
        AccessService::new(
            self.store.clone(),
            self.store.clone(),
            changes,
            self.clock.clone(),
        )
    }

    /// Lets the service follow, and ends it when the story is over.
    async fn followed<T>(&self, story: impl Future<Output = T>) -> T {
        tokio::select! {
            never = self.access.follow() => match never {},
            done = story => done,
        }
    }

    fn after(&self, seconds: i64) -> DateTime<Utc> {
        self.clock.now() + TimeDelta::seconds(seconds)
    }

    /// As it is stored.
    async fn last_used_at(&self) -> Option<DateTime<Utc>> {
        self.store.keys().await.unwrap()[0].key.last_used_at
    }

    fn audit(&self) -> Vec<(AuditKind, String)> {
        let told = self.store.audit().into_iter();
        told.map(|entry| (entry.kind, entry.detail)).collect()
    }
}

fn name(name: &str) -> KeyName {
    KeyName::new(name).unwrap()
}

fn token(api: &str) -> Scope {
    Scope::Token(ApiName::new(api).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_key_counts_at_once_says_what_it_may_do_and_is_kept_as_a_hash_only() {
    let fixture = AccessFixture::new();
    let scopes = vec![token("PRIMARY"), Scope::Status, Scope::Status];
    let (key, secret) = fixture
        .access
        .add_key(name("trader"), scopes, None)
        .await
        .unwrap();
    assert_eq!(key.scopes, [Scope::Status, token("PRIMARY")], "each once");
    let shown = fixture.access.key(secret.expose()).unwrap();
    assert_eq!(*shown, key);
    assert!(shown.may(&token("PRIMARY")) && !shown.may(&Scope::Admin));
    let wrong = format!("{}x", secret.expose());
    let without_prefix = secret.expose().trim_start_matches("vega_");
    for presented in ["", "vega_", &wrong, without_prefix, &key.id.to_string(), "trader"] {
        assert_eq!(fixture.access.key(presented), None, "{presented}");
    }

    let keys = fixture.store.keys().await.unwrap();
    let kept = format!("{keys:?}{:?}{:?}", fixture.store.audit(), keys[0].hash);
    assert!(!kept.contains(secret.expose()) && !kept.contains(without_prefix));
    let words = format!("trader ({}): status,token:PRIMARY, without an end", key.id);
    assert_eq!(fixture.audit(), [(AuditKind::KeyAdded, words)]);
}

#[tokio::test(start_paused = true)]
async fn a_key_dies_at_its_end_without_any_news() {
    let fixture = AccessFixture::new();
    let end = Some(fixture.after(60));
    let (_, secret) = fixture
        .access
        .add_key(name("trader"), vec![Scope::Runs], end)
        .await
        .unwrap();
    advance(Duration::from_secs(59)).await;
    assert!(fixture.access.key(secret.expose()).is_some());
    advance(Duration::from_secs(1)).await;
    assert_eq!(fixture.access.key(secret.expose()), None);
}

#[rstest]
#[case::taken("trader", vec![Scope::Status], None, "named trader already")]
#[case::no_scope("other", vec![], None, "without a scope")]
#[case::over("other", vec![Scope::Status], Some(0), "expire before it is made")]
#[tokio::test(start_paused = true)]
async fn a_key_that_would_be_none_is_refused(
    #[case] wanted: &str,
    #[case] scopes: Vec<Scope>,
    #[case] ends: Option<i64>,
    #[case] words: &str,
) {
    let fixture = AccessFixture::new();
    let (first, _) = fixture
        .access
        .add_key(name("trader"), vec![Scope::Status], None)
        .await
        .unwrap();
    let end = ends.map(|seconds| fixture.after(seconds));
    let refused = fixture
        .access
        .add_key(name(wanted), scopes, end)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains(words), "{refused}");
    assert_eq!(fixture.access.keys().await.unwrap(), [first]);
    assert_eq!(fixture.audit().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_is_worth_nothing_at_once_and_its_name_is_free() {
    let fixture = AccessFixture::new();
    let (key, secret) = fixture
        .access
        .add_key(name("trader"), vec![Scope::Status], None)
        .await
        .unwrap();
    assert!(fixture.access.revoke_key(key.id).await.unwrap());
    assert_eq!(fixture.access.key(secret.expose()), None);
    assert!(!fixture.access.revoke_key(key.id).await.unwrap());
    assert!(
        !fixture
            .access
            .revoke_key(AccessKeyId::at(fixture.after(0)))
            .await
            .unwrap()
    );
    let (_, second) = fixture
        .access
        .add_key(name("trader"), vec![Scope::Status], None)
        .await
        .unwrap();
    assert!(fixture.access.key(second.expose()).is_some());
    assert_eq!(
        fixture.audit()[1],
        (AuditKind::KeyRevoked, format!("trader ({})", key.id))
    );
    assert_eq!(fixture.audit().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_adds_and_revokes_counts_here() {
    let fixture = AccessFixture::new();
    let other = fixture.elsewhere();
    fixture
        .followed(async {
            sleep(SOON).await;
            let (key, secret) = other
                .add_key(name("trader"), vec![Scope::Status], None)
                .await
                .unwrap();
            sleep(SOON).await;
            assert!(fixture.access.key(secret.expose()).is_some());
            other.revoke_key(key.id).await.unwrap();
            sleep(SOON).await;
            assert_eq!(fixture.access.key(secret.expose()), None);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_database_that_does_not_answer_takes_no_key_away_and_is_asked_again() {
    let fixture = AccessFixture::new();
    let (first, secret) = fixture
        .access
        .add_key(name("trader"), vec![Scope::Status], None)
        .await
        .unwrap();
    fixture
        .followed(async {
            let audit = AuditEntry::new(first.created_at, AuditKind::KeyRevoked, "");
            fixture.store.revoke_key(first.id, &audit).await.unwrap();
            fixture.disk.fails(true);
            sleep(Duration::from_mins(10)).await;
            assert!(fixture.access.key(secret.expose()).is_some());
            // Nothing tells of its recovery: that the key was used is tried to be stored before, and a minute later.
            sleep(SOON).await;
            fixture.disk.fails(false);
            sleep(SOON).await;
            assert_eq!(fixture.access.key(secret.expose()), None);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn uses_are_stored_within_a_minute_and_once_a_minute_at_most() {
    let fixture = AccessFixture::new();
    let (key, secret) = fixture
        .access
        .add_key(name("trader"), vec![Scope::Status], None)
        .await
        .unwrap();
    let notes = || fixture.disk.notes();
    fixture
        .followed(async {
            sleep(SOON).await;
            assert_eq!(notes(), 0, "it was not used");
            for _ in 0..600 {
                fixture.access.key(secret.expose()).unwrap();
                sleep(Duration::from_secs(1)).await;
            }
            let told = notes();
            assert!((10..=11).contains(&told), "{told} in ten minutes");
            let last = fixture.clock.now();
            fixture.access.key(secret.expose()).unwrap();
            let known = fixture.access.keys().await.unwrap();
            assert_eq!(known[0].last_used_at, Some(last), "also what is not stored yet");
            sleep(Duration::from_secs(62)).await;
            assert_eq!(fixture.last_used_at().await, Some(last));
            let told = notes();
            sleep(Duration::from_mins(10)).await;
            assert_eq!(notes(), told, "nobody used it since");
        })
        .await;
    assert_eq!(key.last_used_at, None);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_stored_for_a_failing_database_is_stored_later() {
    let fixture = AccessFixture::new();
    let (_, secret) = fixture
        .access
        .add_key(name("trader"), vec![Scope::Status], None)
        .await
        .unwrap();
    fixture
        .followed(async {
            fixture.disk.fails(true);
            fixture.access.key(secret.expose()).unwrap();
            let used = fixture.clock.now();
            sleep(SOON).await;
            fixture.disk.fails(false);
            sleep(Duration::from_secs(62)).await;
            assert_eq!(fixture.last_used_at().await, Some(used));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn one_link_opens_one_session_and_says_so_without_a_secret() {
    let fixture = AccessFixture::new();
    let code = fixture.access.make_link().await.unwrap();
    assert_eq!(
        fixture.access.open_session("guessed").await.unwrap().map(drop),
        None
    );
    let secret = fixture.access.open_session(code.expose()).await.unwrap().unwrap();
    assert!(
        fixture
            .access
            .open_session(code.expose())
            .await
            .unwrap()
            .is_none()
    );
    let session = fixture.access.session(secret.expose()).await.unwrap().unwrap();
    for no_secret in [code.expose(), &session.id.to_string(), ""] {
        assert_eq!(fixture.access.session(no_secret).await.unwrap(), None);
    }
    assert_eq!(
        fixture.access.key(secret.expose()),
        None,
        "a session is no key, so it has no token"
    );

    fixture.access.end_session(secret.expose()).await.unwrap();
    fixture.access.end_session(secret.expose()).await.unwrap();
    assert_eq!(fixture.access.session(secret.expose()).await.unwrap(), None);
    let words = format!("session {}", session.id);
    assert_eq!(
        fixture.audit(),
        [
            (AuditKind::ConsoleLinkMade, String::new()),
            (AuditKind::ConsoleSessionOpened, words.clone()),
            (AuditKind::ConsoleSessionEnded, words),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_link_is_worth_nothing_after_a_minute() {
    let fixture = AccessFixture::new();
    let code = fixture.access.make_link().await.unwrap();
    advance(Duration::from_mins(1)).await;
    assert!(
        fixture
            .access
            .open_session(code.expose())
            .await
            .unwrap()
            .is_none()
    );
}

/// In seconds from the opening: each call, and whether it was let in.
#[rstest]
#[case::used_all_the_time(&[(1, true), (800, true), (1_600, true)], 2)]
#[case::idle(&[(1, true), (899, true), (1_799, false)], 1)]
#[case::many_calls(&[(10, true), (20, true), (29, true), (30, true), (40, true), (60, true)], 2)]
#[tokio::test(start_paused = true)]
async fn a_session_lives_while_it_is_used(#[case] calls: &[(u64, bool)], #[case] touches: usize) {
    let fixture = AccessFixture::new();
    let code = fixture.access.make_link().await.unwrap();
    let secret = fixture.access.open_session(code.expose()).await.unwrap().unwrap();
    let mut now = 0;
    for (at, is_let_in) in calls {
        advance(Duration::from_secs(at - now)).await;
        now = *at;
        let session = fixture.access.session(secret.expose()).await.unwrap();
        assert_eq!(session.is_some(), *is_let_in, "at {at}");
    }
    assert_eq!(fixture.disk.notes(), touches);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_locks_nobody_out() {
    let clock = PausedClock::at(ist("2026-11-23T08:45:00"));
    let session = ConsoleSession {
        id: SessionId::at(clock.now()),
        opened_at: clock.now(),
        last_seen_at: clock.now(),
    };
    let mut access = MockConsoleSessions::new();
    let stored = session.clone();
    access
        .expect_session()
        .returning(move |_| Ok(Some(stored.clone())));
    access
        .expect_touch_session()
        .times(1)
        .returning(|_, _| Err(StoreError::Unreadable("the disk is full".into())));
    let changes = Arc::new(MemoryStore::default().changes());
    let service = AccessService::new(Arc::new(MockAccessKeys::new()), Arc::new(access), changes, clock);
    advance(Duration::from_mins(5)).await;
    assert_eq!(service.session("x").await.unwrap(), Some(session));
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_after_twelve_hours_however_busy_it_is() {
    let fixture = AccessFixture::new();
    let code = fixture.access.make_link().await.unwrap();
    let secret = fixture.access.open_session(code.expose()).await.unwrap().unwrap();
    let began = fixture.clock.now();
    loop {
        advance(Duration::from_mins(5)).await;
        if fixture.access.session(secret.expose()).await.unwrap().is_none() {
            break;
        }
    }
    assert_eq!(fixture.clock.now() - began, TimeDelta::hours(12));
}

#[tokio::test(start_paused = true)]
async fn a_database_that_does_not_answer_is_no_refusal() {
    let fixture = AccessFixture::new();
    fixture.disk.fails(true);
    let access = &fixture.access;
    assert!(access.catch_up().await.is_err());
    assert!(access.make_link().await.is_err());
    assert!(access.open_session("x").await.is_err());
    assert!(access.session("x").await.is_err());
    assert!(access.end_session("x").await.is_err());
    assert!(
        access
            .revoke_key(AccessKeyId::at(fixture.after(0)))
            .await
            .is_err()
    );
    let added = access.add_key(name("trader"), vec![Scope::Status], None).await;
    assert!(matches!(added, Err(AccessError::Store(_))));
}
