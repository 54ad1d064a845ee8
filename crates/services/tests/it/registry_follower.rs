//! `RegistryFollower` on paused time: what the database and the clock do is in the registry soon, and its subscribers
//! hear of it without any reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use rstest::rstest;
use tokio::sync::watch;
use tokio::time::Instant;
use vega_domain::account::{Account, Route};
use vega_domain::accounts::Accounts;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::expiry;
use vega_domain::ids::{AccountId, ApiName, ClientId, Generation, MobileNumber};
use vega_domain::ports::{Clock, StoreError, TokenChanges, UpstoxTokenRepository};
use vega_domain::secret::AccessToken;
use vega_domain::token::{CheckResult, LastCheck, StoredToken};
use vega_services::{HotTokenRegistry, RegistryFollower, RegistryScope};
use vega_testing::memory_store::MemoryChanges;
use vega_testing::{MemoryStore, PausedClock};

use crate::disk::Disk;
use crate::generation_fixture::{api, ist, user};

/// Longer than the follower may need for anything.
const SOON: Duration = Duration::from_secs(1);

struct FollowerFixture {
    clock: Arc<PausedClock>,
    disk: Arc<Disk>,
    stored: Arc<MemoryStore>,
    registry: Arc<HotTokenRegistry>,
    /// From the beginning, so that nothing is told to nobody.
    changes: tokio::sync::Mutex<watch::Receiver<u64>>,
}

impl FollowerFixture {
    fn new() -> Self {
        let clock = PausedClock::at(ist("2026-11-23T08:45:00"));
        let registry = Arc::new(HotTokenRegistry::new(clock.clone()));
        let disk = Arc::<Disk>::default();
        Self {
            clock,
            stored: Arc::new(MemoryStore::watched_by(disk.clone())),
            disk,
            changes: registry.subscribe().into(),
            registry,
        }
    }

    fn follower(&self, scope: RegistryScope) -> RegistryFollower {
        RegistryFollower::new(
            Arc::clone(&self.registry),
            scope,
            self.stored.clone(),
            Arc::new(self.stored.changes()),
            self.clock.clone(),
        )
    }

    /// Another process commits: these are the tokens now.
    fn becomes(&self, tokens: impl Into<Vec<StoredToken>>) {
        self.stored.replace(tokens.into());
    }

    fn fails(&self, fails: bool) {
        self.disk.fails(fails);
    }

    /// Lets a follower work, and ends it when the story is over.
    async fn followed<T>(&self, story: impl Future<Output = T>) -> T {
        let follower = self.follower(RegistryScope::Everything);
        tokio::select! {
            never = follower.follow() => match never {},
            done = story => done,
        }
    }

    fn token(&self, name: &str, generation: u32) -> StoredToken {
        let now = self.clock.now();
        StoredToken {
            api: ApiName::new(name).unwrap(),
            account: AccountId::new("default").unwrap(),
            client_id: ClientId::new(format!("key-{name}")).unwrap(),
            user_id: user("AB1234"),
            generation: Generation::new(generation).unwrap(),
            access_token: AccessToken::new(format!("CANARY-token-{generation}")),
            issued_at: now,
            valid_until: expiry::valid_until(now),
            verified_at: Some(now),
            rejected_at: None,
            last_check: None,
        }
    }

    fn served(&self) -> Vec<(&'static str, u32)> {
        ["PRIMARY", "WEBSOCKET1"]
            .into_iter()
            .filter_map(|name| {
                let token = self.registry.get(&ApiName::new(name).unwrap())?;
                Some((name, token.generation.get()))
            })
            .collect()
    }

    /// Waits until subscribers hear of another change, and says how long that took.
    async fn heard(&self) -> Duration {
        let began = Instant::now();
        let mut changes = self.changes.lock().await;
        tokio::time::timeout(Duration::from_hours(24), changes.changed())
            .await
            .unwrap()
            .unwrap();
        began.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_process_does_is_in_the_registry_and_heard_of() {
    let fixture = FollowerFixture::new();
    let (first, other) = (fixture.token("PRIMARY", 1), fixture.token("WEBSOCKET1", 1));
    let mut dead = first.clone();
    dead.apply(LastCheck {
        at: fixture.clock.now(),
        result: CheckResult::Invalid,
    });
    let after = [
        ("a token appears", vec![first.clone()], vec![("PRIMARY", 1)]),
        (
            "another API's too",
            vec![first.clone(), other.clone()],
            vec![("PRIMARY", 1), ("WEBSOCKET1", 1)],
        ),
        ("one is rejected", vec![dead, other], vec![("WEBSOCKET1", 1)]),
        (
            "one is replaced, one removed",
            vec![fixture.token("PRIMARY", 2)],
            vec![("PRIMARY", 2)],
        ),
    ];
    fixture
        .followed(async {
            for (what, stored, expected) in after {
                fixture.becomes(stored);
                assert!(fixture.heard().await < SOON, "{what}");
                assert_eq!(fixture.served(), expected, "{what}");
            }
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_last_minute_is_heard_of_without_any_reader() {
    let fixture = FollowerFixture::new();
    fixture.becomes([fixture.token("PRIMARY", 1)]);
    fixture
        .followed(async {
            fixture.heard().await;
            let last_minute = ist("2026-11-24T03:29:00");
            let left = (last_minute - fixture.clock.now()).to_std().unwrap();
            let waited = fixture.heard().await;
            assert!(waited >= left && waited < left + SOON, "{waited:?} of {left:?}");
            assert_eq!(fixture.served(), []);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_is_followed_both_ways() {
    let fixture = FollowerFixture::new();
    fixture.becomes([fixture.token("PRIMARY", 1)]);
    fixture
        .followed(async {
            fixture.heard().await;
            for (by, expected) in [(1, vec![]), (-1, vec![("PRIMARY", 1)])] {
                fixture.clock.set(fixture.clock.now() + TimeDelta::days(by));
                let waited = fixture.heard().await;
                assert!(waited < SOON, "{by} day: {waited:?}");
                assert_eq!(fixture.served(), expected, "{by} day");
            }
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_database_that_fails_takes_nothing_away_and_is_asked_again() {
    let fixture = FollowerFixture::new();
    fixture.becomes([fixture.token("PRIMARY", 1)]);
    fixture
        .followed(async {
            fixture.heard().await;
            fixture.fails(true);
            fixture.becomes([fixture.token("PRIMARY", 2)]);
            tokio::time::sleep(Duration::from_mins(10)).await;
            assert_eq!(fixture.served(), [("PRIMARY", 1)]);
            // Nothing tells of its recovery.
            fixture.fails(false);
            assert!(fixture.heard().await < SOON);
            assert_eq!(fixture.served(), [("PRIMARY", 2)]);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_database_does_not_hold_up_the_clock() {
    let fixture = FollowerFixture::new();
    fixture.becomes([fixture.token("PRIMARY", 1)]);
    fixture
        .followed(async {
            fixture.heard().await;
            fixture.fails(true);
            fixture.becomes([]);
            fixture.clock.set(fixture.clock.now() + TimeDelta::days(1));
            assert!(fixture.heard().await < SOON);
        })
        .await;
}

/// A commit of this process, then one of another, then the first one's publication: late, and of a token that is gone.
#[tokio::test(start_paused = true)]
async fn a_publication_that_comes_late_does_not_stay() {
    let fixture = FollowerFixture::new();
    fixture
        .followed(async {
            tokio::time::sleep(SOON).await;
            assert!(fixture.registry.publish(&fixture.token("PRIMARY", 1)));
            tokio::time::sleep(SOON).await;
            assert_eq!(fixture.served(), []);
        })
        .await;
}

#[rstest]
#[case::everything(RegistryScope::Everything, vec![("PRIMARY", 1), ("WEBSOCKET1", 1)])]
#[case::of_the_configured_app(configured("key-PRIMARY", "AB1234"), vec![("PRIMARY", 1)])]
#[case::of_another_app(configured("key-of-yesterday", "AB1234"), vec![])]
#[case::of_another_person(configured("key-PRIMARY", "ZZ9999"), vec![])]
#[tokio::test(start_paused = true)]
async fn only_what_is_configured_is_served(
    #[case] scope: RegistryScope,
    #[case] expected: Vec<(&'static str, u32)>,
) {
    let fixture = FollowerFixture::new();
    fixture.becomes([fixture.token("PRIMARY", 1), fixture.token("WEBSOCKET1", 1)]);
    fixture.follower(scope).catch_up().await.unwrap();
    assert_eq!(fixture.served(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_does_not_open_takes_its_own_api_out_alone() {
    let fixture = FollowerFixture::new();
    let follower = fixture.follower(RegistryScope::Everything);
    fixture.becomes([fixture.token("PRIMARY", 1), fixture.token("WEBSOCKET1", 1)]);
    follower.catch_up().await.unwrap();
    fixture.becomes([fixture.token("PRIMARY", 2), fixture.token("WEBSOCKET1", 1)]);
    fixture.stored.damage_token("PRIMARY");
    follower.catch_up().await.unwrap();
    assert_eq!(fixture.served(), [("WEBSOCKET1", 1)]);
}

fn configured(client_id: &str, person: &str) -> RegistryScope {
    let mut primary = api("PRIMARY");
    primary.client_id = ClientId::new(client_id).unwrap();
    RegistryScope::Configured(Accounts::from(vec![Account {
        id: AccountId::new("default").unwrap(),
        mobile_number: MobileNumber::new("9000000001").unwrap(),
        user_id: Some(user(person)),
        route: Route::Webdriver,
        apis: vec![primary],
    }]))
}

/// News of a store that lost its last commits with a server, and does not take everything back at once.
struct Lossy {
    changes: MemoryChanges,
    stored: Arc<MemoryStore>,
    losses: AtomicU64,
    refusals: AtomicU64,
}

#[async_trait]
impl TokenChanges for Lossy {
    async fn changed(&self) {
        self.changes.changed().await;
    }

    fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    async fn put_back(&self, token: &StoredToken, audit: &AuditEntry) -> Result<bool, StoreError> {
        assert_eq!(audit.kind, AuditKind::TokenStored);
        let left = self.refusals.load(Ordering::Relaxed);
        if left > 0 && token.api.as_str() == "PRIMARY" {
            self.refusals.store(left - 1, Ordering::Relaxed);
            return Err(StoreError::Unreadable("the server is being replaced".into()));
        }
        let mut all = vec![token.clone()];
        let others = self.stored.load_all().await?.into_iter().flatten();
        all.extend(others.filter(|other| other.api != token.api));
        self.stored.replace(all);
        Ok(true)
    }
}

/// A token of generation 9 is served when the database falls back to generation 7.
async fn after_a_loss(refusals: u64) -> (FollowerFixture, Arc<Lossy>, RegistryFollower) {
    let fixture = FollowerFixture::new();
    let changes = Arc::new(Lossy {
        changes: fixture.stored.changes(),
        stored: fixture.stored.clone(),
        losses: AtomicU64::new(0),
        refusals: AtomicU64::new(refusals),
    });
    let follower = RegistryFollower::new(
        Arc::clone(&fixture.registry),
        RegistryScope::Everything,
        fixture.stored.clone(),
        changes.clone(),
        fixture.clock.clone(),
    );
    fixture.becomes([fixture.token("PRIMARY", 9)]);
    follower.catch_up().await.unwrap();
    fixture.becomes([fixture.token("PRIMARY", 7)]);
    changes.losses.store(1, Ordering::Relaxed);
    follower.catch_up().await.unwrap();
    (fixture, changes, follower)
}

#[rstest]
#[case::at_once(0)]
#[case::after_it_was_refused_for_a_while(12)]
#[tokio::test(start_paused = true)]
async fn what_was_lost_with_a_server_is_served_on_and_put_back(#[case] refusals: u64) {
    let (fixture, _changes, follower) = after_a_loss(refusals).await;
    assert_eq!(fixture.served(), [("PRIMARY", 9)]);
    let five_minutes = tokio::time::timeout(Duration::from_mins(5), follower.follow());
    assert!(five_minutes.await.is_err(), "it follows for ever");
    assert_eq!(fixture.served(), [("PRIMARY", 9)]);
    let newest = fixture
        .stored
        .newest_generation(&ApiName::new("PRIMARY").unwrap())
        .await
        .unwrap();
    assert_eq!(newest, Generation::new(9).ok());
}

/// Meanwhile another machine signed in anew.
#[tokio::test(start_paused = true)]
async fn what_is_served_no_more_is_not_put_back() {
    let (fixture, changes, follower) = after_a_loss(3).await;
    fixture.becomes([fixture.token("PRIMARY", 10)]);
    let five_minutes = tokio::time::timeout(Duration::from_mins(5), follower.follow());
    assert!(five_minutes.await.is_err(), "it follows for ever");
    assert_eq!(fixture.served(), [("PRIMARY", 10)]);
    let refusals = changes.refusals.load(Ordering::Relaxed);
    assert!(refusals > 0, "it was not asked for again and again: {refusals}");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_taken_back_keeps_no_other_one_out() {
    let (fixture, changes, follower) = after_a_loss(u64::MAX).await;
    fixture.becomes([fixture.token("PRIMARY", 9), fixture.token("WEBSOCKET1", 5)]);
    follower.catch_up().await.unwrap();
    fixture.becomes([fixture.token("PRIMARY", 7)]);
    changes.losses.store(2, Ordering::Relaxed);
    follower.catch_up().await.unwrap();
    let five_minutes = tokio::time::timeout(Duration::from_mins(5), follower.follow());
    assert!(five_minutes.await.is_err(), "it follows for ever");
    let second = ApiName::new("WEBSOCKET1").unwrap();
    let newest = fixture.stored.newest_generation(&second).await.unwrap();
    assert_eq!(newest, Generation::new(5).ok());
    assert_eq!(fixture.served(), [("PRIMARY", 9), ("WEBSOCKET1", 5)]);
}

/// Numbers of what was lost are used again: what came later counts, whatever its number.
#[rstest]
#[case::somebody_signed_in(false, &[("PRIMARY", 8)])]
#[case::somebody_revoked(true, &[])]
#[tokio::test(start_paused = true)]
async fn what_was_done_after_a_lost_token_was_issued_counts(
    #[case] is_revoked: bool,
    #[case] served: &[(&str, u32)],
) {
    let (fixture, _changes, follower) = after_a_loss(u64::MAX).await;
    assert_eq!(fixture.served(), [("PRIMARY", 9)]);
    fixture.clock.set(fixture.clock.now() + TimeDelta::seconds(5));
    let later = fixture.clock.now();
    let stored = if is_revoked {
        let revoked = LastCheck {
            at: later,
            result: CheckResult::Revoked,
        };
        StoredToken {
            issued_at: later - TimeDelta::minutes(1),
            rejected_at: Some(later),
            last_check: Some(revoked),
            ..fixture.token("PRIMARY", 7)
        }
    } else {
        fixture.token("PRIMARY", 8)
    };
    fixture.becomes([stored]);
    follower.catch_up().await.unwrap();
    assert_eq!(fixture.served(), served);
}
