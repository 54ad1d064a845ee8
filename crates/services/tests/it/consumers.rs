//! `ConsumerService` on paused time: who uses which token is known at once and written down soon, a stop counts in every process, and a
//! database that is away takes nothing from anybody and opens nobody.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use vega_domain::audit::AuditKind;
use vega_domain::consumer::{AccessPath, Consumer, ConsumerIdentity, ConsumerState, LocalProgram};
use vega_domain::ids::{ApiName, ConsumerName, Generation};
use vega_domain::ports::{Clock, Consumers};
use vega_services::{ConsumerService, KnownConsumer};
use vega_testing::{MemoryStore, PausedClock};

use crate::disk::Disk;
use crate::generation_fixture::ist;

struct ConsumerFixture {
    disk: Arc<Disk>,
    store: Arc<MemoryStore>,
    clock: Arc<PausedClock>,
    consumers: Arc<ConsumerService>,
}

impl ConsumerFixture {
    fn new() -> Self {
        let disk = Arc::<Disk>::default();
        let store = Arc::new(MemoryStore::watched_by(disk.clone()));
        let clock = PausedClock::at(ist("2026-11-23T08:45:00"));
        Self {
            consumers: service(&store, &clock),
            disk,
            store,
            clock,
        }
    }

    /// Lets the service follow, and ends it when the story is over.
    async fn followed<T>(&self, story: impl Future<Output = T>) -> T {
        tokio::select! {
            never = self.consumers.follow() => match never {},
            done = story => done,
        }
    }

    fn saw(&self, own_name: &str, has: u32) {
        self.consumers
            .saw(program(own_name), &primary(), Some(generation(has)));
    }

    fn stood(&self, newest: u32) -> Vec<(String, ConsumerState)> {
        stood(&self.consumers, newest, &self.clock)
    }

    /// Name and generation of what is stored.
    fn stored(&self) -> Vec<(String, Option<u32>)> {
        self.store.read(|tables| {
            let uses = tables.consumers.uses.iter();
            uses.map(|seen| {
                let name = seen.consumer.name().to_owned();
                (name, seen.generation.map(Generation::get))
            })
            .collect()
        })
    }
}

fn service(store: &Arc<MemoryStore>, clock: &Arc<PausedClock>) -> Arc<ConsumerService> {
    let changes = Arc::new(store.changes());
    Arc::new(ConsumerService::new(store.clone(), changes, clock.clone()))
}

fn stood(consumers: &ConsumerService, newest: u32, clock: &PausedClock) -> Vec<(String, ConsumerState)> {
    let state = |known: KnownConsumer| {
        let state = known.seen.state(Some(generation(newest)), clock.now());
        (known.seen.consumer.name().to_owned(), state)
    };
    consumers.known().into_iter().map(state).collect()
}

fn primary() -> ApiName {
    ApiName::new("PRIMARY").unwrap()
}

fn generation(number: u32) -> Generation {
    Generation::new(number).unwrap()
}

fn identity() -> ConsumerIdentity {
    ConsumerIdentity::Program(LocalProgram::new(1_000, Some("strategy.service"), None))
}

fn program(own_name: &str) -> Consumer {
    Consumer {
        identity: identity(),
        identity_name: "strategy.service".into(),
        own_name: (!own_name.is_empty()).then(|| ConsumerName::new(own_name).unwrap()),
        access_path: AccessPath::Socket,
    }
}

fn of(names: &[(&str, ConsumerState)]) -> Vec<(String, ConsumerState)> {
    names
        .iter()
        .map(|(name, state)| ((*name).to_owned(), *state))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_one_that_hangs_on_the_old_token_is_named_at_once_and_found_elsewhere_soon() {
    let fixture = ConsumerFixture::new();
    let elsewhere = service(&fixture.store, &fixture.clock);
    fixture
        .followed(async {
            for name in ["a", "b", "c"] {
                fixture.saw(name, 1);
            }
            let mut news = fixture.consumers.subscribe();
            for name in ["a", "c"] {
                fixture.saw(name, 2);
                assert!(news.has_changed().unwrap());
                news.borrow_and_update();
            }
            fixture.saw("a", 2);
            assert!(!news.has_changed().unwrap(), "nobody moved");
            let expected = of(&[
                ("a", ConsumerState::Current),
                ("b", ConsumerState::Behind),
                ("c", ConsumerState::Current),
            ]);
            assert_eq!(fixture.stood(2), expected);
            sleep(Duration::from_secs(3)).await;
            elsewhere.catch_up().await.unwrap();
            assert_eq!(stood(&elsewhere, 2, &fixture.clock), expected);
        })
        .await;
}

/// A sight alone is written down once a minute.
#[tokio::test(start_paused = true)]
async fn what_was_seen_again_is_written_down_once_a_minute() {
    let fixture = ConsumerFixture::new();
    fixture
        .followed(async {
            fixture.saw("a", 1);
            sleep(Duration::from_secs(3)).await;
            let mut writes = fixture.store.count_changes();
            writes.borrow_and_update();
            for _ in 0..50 {
                fixture.saw("a", 1);
                sleep(Duration::from_secs(1)).await;
            }
            assert!(!writes.has_changed().unwrap(), "50 s of calls");
            sleep(Duration::from_secs(12)).await;
            assert!(writes.has_changed().unwrap());
            let seen = fixture.store.uses().await.unwrap();
            assert!(fixture.clock.now() - seen[0].last_seen_at < chrono::TimeDelta::seconds(20));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn who_listens_was_seen_just_now() {
    let fixture = ConsumerFixture::new();
    let connection = fixture.consumers.connects(program("a"), &primary());
    let second = fixture.consumers.connects(program("a"), &primary());
    sleep(Duration::from_hours(30)).await;
    drop(second);
    assert!(
        fixture.consumers.known()[0].is_connected,
        "the first one is there"
    );
    assert_eq!(fixture.stood(2), of(&[("a", ConsumerState::Waiting)]));
    drop(connection);
    assert!(!fixture.consumers.known()[0].is_connected);
    sleep(Duration::from_hours(25)).await;
    assert_eq!(fixture.stood(2), of(&[("a", ConsumerState::Away)]));
}

#[tokio::test(start_paused = true)]
async fn a_stop_counts_in_every_process_until_it_is_lifted() {
    let fixture = ConsumerFixture::new();
    let elsewhere = service(&fixture.store, &fixture.clock);
    fixture
        .followed(async {
            assert!(fixture.consumers.stop_of(&identity()).is_none());
            let stopped = elsewhere
                .stop(&identity(), "strategy.service", "the console", "too many orders")
                .await;
            assert!(stopped.unwrap());
            assert!(elsewhere.stop_of(&identity()).is_some(), "at once there");
            sleep(Duration::from_secs(1)).await;
            let stop = fixture.consumers.stop_of(&identity()).unwrap();
            assert_eq!(
                (&*stop.name, &*stop.reason),
                ("strategy.service", "too many orders")
            );
            fixture.saw("a", 1);
            assert_eq!(fixture.consumers.known()[0].stop.as_ref(), Some(&stop));
            assert!(
                !fixture
                    .consumers
                    .stop(&identity(), "strategy.service", "the console", "")
                    .await
                    .unwrap()
            );

            fixture.disk.fails(true);
            assert!(
                fixture
                    .consumers
                    .open(&identity(), "strategy.service", "the console")
                    .await
                    .is_err()
            );
            assert!(fixture.consumers.stop_of(&identity()).is_some());
            fixture.disk.fails(false);
            assert!(
                fixture
                    .consumers
                    .open(&identity(), "strategy.service", "the console")
                    .await
                    .unwrap()
                    .is_some()
            );
            assert!(fixture.consumers.stop_of(&identity()).is_none());
            sleep(Duration::from_secs(1)).await;
        })
        .await;
    let told = fixture.store.audit().into_iter();
    let told: Vec<_> = told.map(|entry| (entry.kind, entry.detail)).collect();
    let who = "strategy.service (user:1000/strategy.service), by the console";
    assert_eq!(
        told,
        [
            (AuditKind::ConsumerStopped, format!("{who}: too many orders")),
            (AuditKind::ConsumerOpened, who.to_owned()),
        ]
    );
}

/// A program can be started under another name; its user cannot be another one.
#[tokio::test(start_paused = true)]
async fn a_stop_of_a_user_is_for_all_its_programs() {
    let fixture = ConsumerFixture::new();
    let of = |user, program| ConsumerIdentity::Program(LocalProgram::new(user, program, None));
    let on_a_machine =
        |user, program| ConsumerIdentity::Program(LocalProgram::new(user, program, Some("1a2b3c4d")));
    fixture
        .consumers
        .stop(&of(1_000, None), "user-1000", "the console", "")
        .await
        .unwrap();
    for (identity, is_stopped) in [
        (on_a_machine(1_000, Some("another")), true),
        (on_a_machine(1_001, Some("another")), false),
        (of(1_000, None), true),
        (identity(), true),
        (of(1_000, Some("another")), true),
        (of(1_001, Some("strategy.service")), false),
    ] {
        assert_eq!(
            fixture.consumers.stop_of(&identity).is_some(),
            is_stopped,
            "{identity}"
        );
    }
    // Whoever opens one of them, as the console does it, lifts what stops it.
    let opened = fixture
        .consumers
        .open(&identity(), "strategy.service", "the console")
        .await;
    let lifted = opened.unwrap().map(|stop| stop.identity.clone());
    assert_eq!(lifted, Some(of(1_000, None)));
    assert!(fixture.consumers.stop_of(&identity()).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_loses_nothing_of_it() {
    let fixture = ConsumerFixture::new();
    fixture
        .followed(async {
            fixture.disk.fails(true);
            fixture.saw("a", 1);
            sleep(Duration::from_mins(3)).await;
            assert_eq!(fixture.stored(), []);
            fixture.saw("a", 2);
            fixture.disk.fails(false);
            sleep(Duration::from_secs(3)).await;
            assert_eq!(fixture.stored(), [("a".to_owned(), Some(2))]);
        })
        .await;
}

/// A program that takes another name with each call must not fill the memory.
#[tokio::test(start_paused = true)]
async fn names_that_one_program_gives_itself_end_at_a_limit() {
    let fixture = ConsumerFixture::new();
    for number in 0..1_000 {
        fixture.saw(&format!("name-{number}"), 1);
    }
    let known = fixture.consumers.known();
    assert_eq!(known.len(), 65);
    assert!(known.iter().any(|known| known.seen.consumer.own_name.is_none()));
}

/// A timer that runs under another name each time is no news, and takes no place from others.
#[tokio::test(start_paused = true)]
async fn programs_that_one_user_names_end_at_a_limit() {
    let fixture = ConsumerFixture::new();
    let program = |user, name: &str| Consumer {
        identity: ConsumerIdentity::Program(LocalProgram::new(user, Some(name), None)),
        identity_name: name.to_owned(),
        own_name: None,
        access_path: AccessPath::Socket,
    };
    let saw = |consumer| {
        fixture
            .consumers
            .saw(consumer, &ApiName::new("PRIMARY").unwrap(), None);
    };
    for number in 0..1_000 {
        saw(program(1_000, &format!("run-{number}.service")));
    }
    saw(program(1_001, "bot.service"));
    let known = fixture.consumers.known();
    assert_eq!(known.len(), 258);
    let of_user = ConsumerIdentity::Program(LocalProgram::new(1_000, None, None));
    assert!(known.iter().any(|known| known.seen.consumer.identity == of_user));
    assert!(
        known
            .iter()
            .any(|known| known.seen.consumer.name() == "bot.service")
    );
    // Who is told apart stays so.
    saw(program(1_000, "run-7.service"));
    assert_eq!(fixture.consumers.known().len(), 258);
}

#[tokio::test(start_paused = true)]
async fn who_was_not_seen_for_a_month_is_forgotten() {
    let fixture = ConsumerFixture::new();
    fixture.saw("a", 1);
    fixture.followed(sleep(Duration::from_secs(3))).await;
    sleep(Duration::from_hours(24 * 29)).await;
    fixture.saw("b", 1);
    fixture.followed(sleep(Duration::from_mins(2))).await;
    assert_eq!(fixture.consumers.known().len(), 2);
    sleep(Duration::from_hours(24 * 2)).await;
    fixture.saw("b", 1);
    fixture.followed(sleep(Duration::from_mins(2))).await;
    assert_eq!(fixture.stored(), [("b".to_owned(), Some(1))]);
    assert_eq!(fixture.consumers.known().len(), 1);
}
