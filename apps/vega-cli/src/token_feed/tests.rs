//! Which word counts, whoever gave it: over a feed that nobody follows.

use chrono::TimeDelta;
use vega_domain::secret::AccessToken;
use vega_testing::TestClock;

use super::*;

fn api() -> ApiName {
    ApiName::new("PRIMARY").unwrap()
}

fn feed(clock: &Arc<TestClock>) -> TokenFeed {
    TokenFeed {
        apis: vec![api()],
        wants: Wants {
            what: What::Tokens,
            kind: WantedKind::TradeOrRead,
        },
        states: watch::Sender::new(HashMap::from([(api(), State::Unknown)])),
        server: None,
        database: None,
        source: Mutex::new(Source::Nobody),
        servers_met: AtomicU64::new(0),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
    }
}

/// A token that dies so many minutes after the epoch.
fn held(generation: u32, version: &str, minutes: i64) -> Held {
    let generation = Generation::new(generation).unwrap();
    let valid_until = DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
    Held {
        kind: TokenKind::Trade,
        generation,
        version: version.to_owned(),
        valid_until,
        token: Some(ProgramToken {
            api: api(),
            kind: TokenKind::Trade,
            access_token: AccessToken::new(version),
            generation,
            valid_until,
        }),
    }
}

fn version(feed: &TokenFeed) -> Option<String> {
    feed.held(&api()).map(|held| held.version.clone())
}

#[test]
fn an_older_token_takes_no_living_ones_place() {
    let clock = TestClock::at(DateTime::UNIX_EPOCH);
    let feed = feed(&clock);
    let mut changes = feed.subscribe();
    let mut is_told = || {
        let told = changes.0.has_changed().unwrap();
        changes.are_seen();
        told
    };
    feed.is_there(&api(), held(2, "2-a", 60));
    assert!(is_told());
    // The database does not know of it yet.
    feed.is_there(&api(), held(1, "1-a", 90));
    assert_eq!((version(&feed).as_deref(), is_told()), (Some("2-a"), false));
    feed.is_there(&api(), held(2, "2-a", 60));
    assert!(!is_told(), "it is the same");
    // A generation comes twice where a database lost the first one.
    feed.is_there(&api(), held(2, "2-b", 60));
    assert_eq!((version(&feed).as_deref(), is_told()), (Some("2-b"), true));
    clock.set(DateTime::UNIX_EPOCH + TimeDelta::minutes(59));
    assert_eq!(version(&feed), None, "its last minute");
    feed.is_there(&api(), held(1, "1-a", 90));
    assert_eq!(version(&feed).as_deref(), Some("1-a"));
}

/// Generation 9 of one kind says nothing of generation 1 of the other.
#[test]
fn a_token_of_the_other_kind_takes_its_place_whatever_its_number() {
    let clock = TestClock::at(DateTime::UNIX_EPOCH);
    let feed = feed(&clock);
    let analytics = |generation, version| Held {
        kind: TokenKind::Read,
        ..held(generation, version, 500_000)
    };
    feed.is_there(&api(), held(9, "9-a", 60));
    feed.is_there(&api(), analytics(1, "1-b"));
    assert_eq!(version(&feed).as_deref(), Some("1-b"), "the day's token is over");
    feed.is_there(&api(), held(1, "1-b", 90));
    let kind = feed.held(&api()).map(|held| held.kind);
    assert_eq!(kind, Some(TokenKind::Trade), "the same version of another kind");
}

#[test]
fn nobody_to_ask_takes_nothing_that_lives() {
    let clock = TestClock::at(DateTime::UNIX_EPOCH);
    let feed = feed(&clock);
    feed.is_none_at_all("nobody answers");
    assert_eq!(feed.said(&api()).as_deref(), Some("nobody answers"));
    feed.is_there(&api(), held(1, "1-a", 60));
    feed.is_none_at_all("nobody answers");
    assert_eq!(version(&feed).as_deref(), Some("1-a"));
    feed.is_gone(&api(), Some("the operator stopped it".into()));
    assert_eq!(version(&feed), None);
    assert_eq!(feed.said(&api()).as_deref(), Some("the operator stopped it"));
}

/// Nobody tells of it where server and database are away.
#[tokio::test(start_paused = true)]
async fn a_token_that_dies_is_told_of_by_the_clock_alone() {
    let clock = TestClock::at(DateTime::UNIX_EPOCH);
    let feed = feed(&clock);
    feed.is_there(&api(), held(1, "1-a", 60));
    let mut changes = feed.subscribe();
    changes.are_seen();
    let told = async {
        tokio::time::sleep(LOOK_AGAIN * 3).await;
        assert!(!changes.0.has_changed().unwrap());
        clock.set(DateTime::UNIX_EPOCH + TimeDelta::minutes(59));
        tokio::time::timeout(LOOK_AGAIN * 2, changes.next())
            .await
            .unwrap();
    };
    tokio::select! {
        never = feed.watch_clock() => match never {},
        () = told => {}
    }
    assert_eq!(version(&feed), None);
}
