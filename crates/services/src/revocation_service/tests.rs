//! Revoking: readers lose the token first, whatever Upstox says; what is on record tells both.

use std::sync::Mutex;

use rstest::rstest;
use vega_domain::ports::{
    MockAuditTrail, MockEventSink, MockSessionLogout, MockUpstoxTokenRepository, UnreadableToken,
};
use vega_domain::token::StoredToken;

use super::*;
use crate::test_builders::{TestClock, api, at, stored};

/// What happened, in order.
type Log = Arc<Mutex<Vec<String>>>;

struct RevocationFixture {
    log: Log,
    registry: Arc<HotTokenRegistry>,
    service: RevocationService,
}

/// How the outside behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outside {
    Works,
    UpstoxIsDown,
    DatabaseTakesNothing,
    TrailTakesNothing,
}

fn down() -> Failure {
    Failure::new(FailureReason::Network, "connection refused")
}

fn full() -> StoreError {
    StoreError::Unreadable("the disk is full".into())
}

impl RevocationFixture {
    fn new(tokens: Vec<LoadedToken>, outside: Outside) -> Self {
        let log = Log::default();
        let clock = TestClock::at(at(0));
        let registry = Arc::new(HotTokenRegistry::new(clock.clone()));
        for token in tokens.iter().flatten() {
            registry.publish(token);
        }
        let loaded = Mutex::new(Some(tokens));
        let mut tokens = MockUpstoxTokenRepository::new();
        tokens
            .expect_load_all()
            .returning(move || Ok(loaded.lock().unwrap().take().unwrap()));
        let told = Arc::clone(&log);
        tokens.expect_record_checks().returning(move |checks| {
            let [(check, audit)] = checks else {
                panic!("one token is revoked")
            };
            assert_eq!(check.check.result, CheckResult::Revoked);
            let about = audit.account.as_ref().map_or("nobody", AccountId::as_str);
            told.lock().unwrap().push(format!(
                "{} of {about}: {} {}",
                audit.kind.code(),
                check.api,
                audit.detail
            ));
            if outside == Outside::DatabaseTakesNothing {
                return Err(full());
            }
            Ok(vec![true])
        });
        let mut logout = MockSessionLogout::new();
        let (told, hot) = (Arc::clone(&log), Arc::clone(&registry));
        logout.expect_log_out().returning(move |token| {
            let is_served = hot.get(&api("PRIMARY")).is_some();
            let words = format!("log out {}, served: {is_served}", token.expose());
            told.lock().unwrap().push(words);
            if outside == Outside::UpstoxIsDown {
                return Err(down());
            }
            Ok(())
        });
        let mut audit = MockAuditTrail::new();
        let told = Arc::clone(&log);
        audit.expect_append_about().returning(move |entry, _| {
            told.lock()
                .unwrap()
                .push(format!("{}: {}", entry.kind.code(), entry.detail));
            if outside == Outside::TrailTakesNothing {
                return Err(full());
            }
            Ok(())
        });
        let mut events = MockEventSink::new();
        let told = Arc::clone(&log);
        events
            .expect_emit()
            .returning(move |event| told.lock().unwrap().push(format!("{event:?}")));
        let service = RevocationService::new(RevocationPorts {
            tokens: Arc::new(tokens),
            logout: Arc::new(logout),
            audit: Arc::new(audit),
            registry: Arc::clone(&registry),
            events: Arc::new(events),
            clock,
        });
        Self {
            log,
            registry,
            service,
        }
    }

    fn is_served(&self) -> bool {
        self.registry.get(&api("PRIMARY")).is_some()
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

const RECORDED: &str = "token_revoked of default: PRIMARY generation 3, by the operator";
const LOGGED_OUT: &str = "log out token-PRIMARY-3, served: false";
const TOLD: &str = "token_logged_out: generation 3, revoked: logged out";
const TOLD_DOWN: &str = "token_logged_out: generation 3, revoked: could not be logged out: \
                         Upstox could not be reached: connection refused";

fn event() -> String {
    format!(
        "{:?}",
        Event::TokenChecked {
            api: api("PRIMARY"),
            status: TokenStatus::Invalid
        }
    )
}

#[rstest]
#[case::works(Outside::Works, TOLD, Ok(()))]
#[case::upstox_is_down(Outside::UpstoxIsDown, TOLD_DOWN, Err(down()))]
#[case::the_trail_takes_nothing(Outside::TrailTakesNothing, TOLD, Ok(()))]
#[tokio::test]
async fn readers_lose_it_first_and_whatever_upstox_says(
    #[case] outside: Outside,
    #[case] told: &str,
    #[case] logout: Result<(), Failure>,
) {
    let fixture = RevocationFixture::new(
        vec![Ok(stored("PRIMARY", 3)), Ok(stored("WEBSOCKET1", 1))],
        outside,
    );
    let revoked = fixture.service.revoke(&api("PRIMARY")).await.unwrap().unwrap();
    assert_eq!(
        (revoked.generation.get(), revoked.was_refused, revoked.logout),
        (3, false, logout)
    );
    assert!(!fixture.is_served());
    assert!(fixture.registry.get(&api("WEBSOCKET1")).is_some());
    assert_eq!(fixture.log(), [RECORDED, LOGGED_OUT, told, &*event()]);
    // A check that was under way when it was revoked brings it back for nobody.
    assert!(!fixture.registry.publish(&stored("PRIMARY", 3)));
    assert!(
        fixture.registry.publish(&stored("PRIMARY", 4)),
        "a newer one is served"
    );
}

#[tokio::test]
async fn what_is_not_on_record_is_logged_out_all_the_same_and_said() {
    let fixture = RevocationFixture::new(vec![Ok(stored("PRIMARY", 3))], Outside::DatabaseTakesNothing);
    let error = fixture.service.revoke(&api("PRIMARY")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the token of PRIMARY was logged out at Upstox, but that is not on record, so programs may still get it: \
         the disk is full"
    );
    assert!(!fixture.is_served());
    assert_eq!(fixture.log(), [RECORDED, LOGGED_OUT, TOLD]);
}

/// The logout of an earlier revocation may have failed.
#[tokio::test]
async fn one_that_was_revoked_already_is_logged_out_again() {
    let mut token = stored("PRIMARY", 3);
    token.apply(LastCheck {
        at: at(-5),
        result: CheckResult::Revoked,
    });
    let fixture = RevocationFixture::new(vec![Ok(token)], Outside::Works);
    let revoked = fixture.service.revoke(&api("PRIMARY")).await.unwrap().unwrap();
    assert!(revoked.was_refused && revoked.logout.is_ok());
    assert_eq!(fixture.log(), [LOGGED_OUT, TOLD, &*event()]);
}

/// Upstox may take its own word back, so the operator's goes on record beside it.
#[tokio::test]
async fn one_that_upstox_called_dead_is_revoked_for_good() {
    let mut token = stored("PRIMARY", 3);
    token.apply(LastCheck {
        at: at(-5),
        result: CheckResult::Invalid,
    });
    let fixture = RevocationFixture::new(vec![Ok(token)], Outside::Works);
    let revoked = fixture.service.revoke(&api("PRIMARY")).await.unwrap().unwrap();
    assert!(revoked.was_refused && revoked.logout.is_ok());
    assert_eq!(fixture.log(), [RECORDED, LOGGED_OUT, TOLD, &*event()]);
}

/// Whichever app or person is configured now: Upstox would take it.
#[tokio::test]
async fn a_token_of_an_earlier_app_is_revoked_too() {
    let mut token = stored("PRIMARY", 3);
    token.client_id = vega_domain::ids::ClientId::new("an-earlier-app").unwrap();
    token.verified_at = None;
    let fixture = RevocationFixture::new(vec![Ok(token)], Outside::Works);
    assert!(fixture.service.revoke(&api("PRIMARY")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_token_that_does_not_open_is_rejected_here_and_may_live_at_upstox() {
    let unreadable = UnreadableToken {
        api: api("PRIMARY"),
        generation: Generation::new(3).unwrap(),
        valid_until: at(60),
        error: StoreError::Unreadable("moved".into()),
    };
    let fixture = RevocationFixture::new(vec![Err(unreadable)], Outside::Works);
    let revoked = fixture.service.revoke(&api("PRIMARY")).await.unwrap().unwrap();
    assert_eq!(revoked.logout.unwrap_err().reason, FailureReason::Unreadable);
    let recorded = RECORDED.replace("default", "nobody");
    assert_eq!(fixture.log(), [recorded, event()]);
}

/// Neither the database nor the spool took it when it came.
#[tokio::test]
async fn a_token_that_is_in_memory_alone_is_revoked_too() {
    let fixture = RevocationFixture::new(vec![Ok(stored("PRIMARY", 2))], Outside::Works);
    fixture.registry.publish_unstored(&stored("PRIMARY", 3));
    let revoked = fixture.service.revoke(&api("PRIMARY")).await.unwrap().unwrap();
    assert_eq!(revoked.generation.get(), 3);
    assert!(!fixture.is_served());
    assert_eq!(fixture.log()[1], LOGGED_OUT);
}

fn none() -> Vec<LoadedToken> {
    vec![Ok(stored("WEBSOCKET1", 1))]
}

fn expired() -> Vec<LoadedToken> {
    let valid_until = at(0);
    vec![Ok(StoredToken {
        valid_until,
        ..stored("PRIMARY", 1)
    })]
}

fn erased() -> Vec<LoadedToken> {
    vec![Err(UnreadableToken {
        api: api("PRIMARY"),
        generation: Generation::FIRST,
        valid_until: at(60),
        error: StoreError::Erased,
    })]
}

#[rstest]
#[case::there_is_none(none())]
#[case::expired(expired())]
#[case::erased(erased())]
#[tokio::test]
async fn what_cannot_live_is_not_revoked(#[case] tokens: Vec<LoadedToken>) {
    let fixture = RevocationFixture::new(tokens, Outside::Works);
    assert_eq!(fixture.service.revoke(&api("PRIMARY")).await.unwrap(), None);
    assert_eq!(fixture.log(), [""; 0]);
}
