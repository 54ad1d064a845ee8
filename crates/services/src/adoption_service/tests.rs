//! Adopting: what is asked about before a token is stored, and what is refused with which words. Over the store in memory.

use rstest::rstest;
use vega_domain::accounts::Accounts;
use vega_domain::failure::FailureReason;
use vega_domain::ids::AccountId;
use vega_domain::ports::{MockLastPriceApi, MockProfileApi};
use vega_domain::token_kind::TokenKind;
use vega_testing::{MemoryStore, RecordedEvents};

use super::*;
use crate::test_builders::{TestClock, account, api, at, stored};

const GIVEN: &str = "CANARY-eyJ0eXAi.eyJzdWIiOiJBQjEyMzQi.s1gn";

struct Fixture {
    store: Arc<MemoryStore>,
    registry: Arc<HotTokenRegistry>,
    account: Account,
    service: AdoptionService,
}

fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

fn down() -> Failure {
    Failure::new(FailureReason::Network, "connection refused")
}

impl Fixture {
    fn new(profile: ProfileAnswer, prices: Vec<LastPriceAnswer>) -> Self {
        let clock = TestClock::at(at(0));
        let store = Arc::new(MemoryStore::default());
        let registry = Arc::new(HotTokenRegistry::new(clock.clone()));
        let mut profiles = MockProfileApi::new();
        profiles.expect_profile().returning(move |_| profile.clone());
        let (mut left, mut asked) = (prices.into_iter(), MockLastPriceApi::new());
        asked
            .expect_last_price()
            .returning(move |_| left.next().expect("it is asked no more"));
        let service = AdoptionService::new(AdoptionPorts {
            tokens: store.clone(),
            adoption: store.clone(),
            profiles: Arc::new(profiles),
            prices: Arc::new(asked),
            registry: Arc::clone(&registry),
            events: Arc::new(RecordedEvents::default()),
            clock,
        });
        // Whose it is, its first token said.
        let account = Account {
            user_id: None,
            ..account(&["PRIMARY"])
        };
        Self {
            store,
            registry,
            account,
            service,
        }
    }

    async fn adopt(&self, claims: TokenClaims) -> Result<Adopted, AdoptionError> {
        let given = GivenToken {
            token: AccessToken::new(GIVEN),
            claims,
        };
        self.service
            .adopt(&self.account, &self.account.apis[0], given)
            .await
    }

    async fn adopt_analytics(&self, claims: TokenClaims) -> Result<Adopted, AdoptionError> {
        let given = GivenToken {
            token: AccessToken::new(GIVEN),
            claims,
        };
        self.service.adopt_analytics(&self.account, given).await
    }

    fn analytics(&self) -> Option<StoredToken> {
        self.store.token(ApiName::of_analytics(&self.account.id).as_str())
    }
}

fn claims(user_id: Option<&str>, hours: Option<i64>) -> TokenClaims {
    TokenClaims {
        user_id: user_id.map(user),
        made_at: None,
        ends_at: hours.map(|hours| at(0) + TimeDelta::hours(hours)),
    }
}

/// What one says that was made so many hours ago, and ends in five hours.
fn made(hours_ago: i64) -> TokenClaims {
    TokenClaims {
        made_at: Some(at(0) - TimeDelta::hours(hours_ago)),
        ..claims(Some("AB1234"), Some(5))
    }
}

#[tokio::test]
async fn a_days_token_is_stored_with_its_profile_and_served_at_once() {
    let fixture = Fixture::new(ProfileAnswer::Valid(user("AB1234")), vec![]);
    fixture.store.put(stored("PRIMARY", 3));
    let adopted = fixture.adopt(claims(None, Some(10))).await.unwrap();
    assert_eq!((adopted.generation.get(), adopted.was_there), (4, false));
    assert_eq!(adopted.valid_until, at(0) + TimeDelta::hours(10));

    let token = fixture.store.token("PRIMARY").unwrap();
    assert_eq!(
        (token.user_id.as_str(), token.client_id.as_str(), token.kind()),
        ("AB1234", "key-PRIMARY", TokenKind::Trade)
    );
    assert!(Accounts::from(vec![fixture.account.clone()]).fit(&token));
    assert_eq!(token.status(at(0)), vega_domain::token::TokenStatus::Valid);
    assert_eq!(
        fixture
            .registry
            .get(&api("PRIMARY"))
            .unwrap()
            .access_token
            .expose(),
        GIVEN
    );
    let told = fixture.store.audit().pop().unwrap();
    assert!(
        told.detail.starts_with("generation 4, adopted from the operator"),
        "{told:?}"
    );
    assert!(!told.detail.contains("CANARY"), "{told:?}");
}

#[tokio::test]
async fn what_vega_has_already_is_not_stored_again() {
    let fixture = Fixture::new(ProfileAnswer::Valid(user("AB1234")), vec![]);
    let first = fixture.adopt(claims(None, None)).await.unwrap();
    let entries = fixture.store.audit().len();
    let again = fixture.adopt(claims(None, None)).await.unwrap();
    assert_eq!((again.generation, again.was_there), (first.generation, true));
    assert_eq!(fixture.store.audit().len(), entries);
}

#[tokio::test]
async fn what_was_revoked_does_not_come_back() {
    let fixture = Fixture::new(ProfileAnswer::Valid(user("AB1234")), vec![]);
    let mut revoked = stored("PRIMARY", 2);
    revoked.access_token = AccessToken::new(GIVEN);
    revoked.apply(LastCheck {
        at: at(-5),
        result: CheckResult::Revoked,
    });
    fixture.store.put(revoked);
    let refused = fixture.adopt(claims(None, None)).await.unwrap_err();
    assert!(matches!(refused, AdoptionError::Revoked(generation) if generation.get() == 2));
}

/// Under whichever name: a token that was taken back there must not come back here, and one of another app is the wrong one.
#[rstest]
#[case::another_apps("WEBSOCKET1", CheckResult::Valid, "this is the token of WEBSOCKET1")]
#[case::taken_back_there("WEBSOCKET1", CheckResult::Revoked, "which you revoked")]
#[tokio::test]
async fn a_token_that_vega_knows_by_another_name_is_refused(
    #[case] name: &str,
    #[case] result: CheckResult,
    #[case] words: &str,
) {
    let fixture = Fixture::new(ProfileAnswer::Valid(user("AB1234")), vec![]);
    let mut other = stored(name, 2);
    other.access_token = AccessToken::new(GIVEN);
    other.apply(LastCheck { at: at(-5), result });
    fixture.store.put(other);
    let refused = fixture.adopt(claims(None, None)).await.unwrap_err().to_string();
    assert!(refused.contains(words), "{refused}");
}

/// For whom it was taken was corrected since: it is asked about again, and refused or taken anew.
#[tokio::test]
async fn what_is_there_for_another_app_is_not_what_is_meant() {
    let fixture = Fixture::new(ProfileAnswer::Valid(user("AB1234")), vec![]);
    let mut before = stored("PRIMARY", 2);
    before.access_token = AccessToken::new(GIVEN);
    before.client_id = ClientId::new("key-of-an-earlier-app").unwrap();
    fixture.store.put(before);
    let adopted = fixture.adopt(claims(None, None)).await.unwrap();
    assert_eq!((adopted.generation.get(), adopted.was_there), (3, false));
}

/// Nothing is stored, and no words hold the token.
#[rstest]
#[case::an_analytics_token(claims(None, Some(24 * 300)), ProfileAnswer::Valid(user("AB1234")), "it only reads")]
#[case::an_analytics_token_on_its_last_day(made(24 * 364), ProfileAnswer::Valid(user("AB1234")), "it only reads")]
#[case::yesterdays(claims(None, Some(-1)), ProfileAnswer::Valid(user("AB1234")), "died at")]
#[case::dead(claims(None, None), ProfileAnswer::Invalid, "calls this token dead")]
#[case::not_known(claims(None, None), ProfileAnswer::Unknown(down()), "did not say")]
#[case::a_strangers(
    claims(None, None),
    ProfileAnswer::Valid(user("ZZ9999")),
    "belongs to ZZ9999, and account default to AB1234"
)]
#[tokio::test(start_paused = true)]
async fn a_token_that_does_not_belong_is_refused_with_its_cause(
    #[case] claims: TokenClaims,
    #[case] profile: ProfileAnswer,
    #[case] words: &str,
) {
    let fixture = Fixture::new(profile, vec![]);
    fixture.store.put(stored("PRIMARY", 1));
    let refused = fixture.adopt(claims).await.unwrap_err().to_string();
    assert!(
        refused.contains(words) && !refused.contains("CANARY"),
        "{refused}"
    );
    assert_eq!(
        fixture.store.token("PRIMARY").unwrap().generation,
        Generation::FIRST
    );
    assert!(fixture.store.audit().is_empty() && fixture.registry.get(&api("PRIMARY")).is_none());
}

#[tokio::test]
async fn an_analytics_token_is_proven_by_a_price_and_given_to_nobody_who_trades() {
    let fixture = Fixture::new(ProfileAnswer::Invalid, vec![LastPriceAnswer::Given]);
    fixture.store.put(stored("PRIMARY", 1));
    let adopted = fixture
        .adopt_analytics(claims(None, Some(24 * 300)))
        .await
        .unwrap();
    assert_eq!(adopted.valid_until, at(0) + TimeDelta::days(300));
    let token = fixture.analytics().unwrap();
    assert_eq!(
        (token.kind(), token.user_id.as_str(), token.generation),
        (TokenKind::Read, "AB1234", Generation::FIRST)
    );
    assert!(token.is_analytics_of(&fixture.account));
    assert!(!token.is_analytics_of(&Account {
        id: AccountId::new("family").unwrap(),
        ..fixture.account.clone()
    }));
    assert!(fixture.registry.get(&api("PRIMARY")).is_none());
    assert!(fixture.registry.get(&token.api).is_some());
}

#[tokio::test]
async fn one_that_does_not_say_when_it_ends_lives_for_a_year() {
    let fixture = Fixture::new(ProfileAnswer::Invalid, vec![LastPriceAnswer::Given]);
    fixture.store.put(stored("PRIMARY", 1));
    let adopted = fixture
        .adopt_analytics(claims(Some("AB1234"), None))
        .await
        .unwrap();
    assert_eq!(adopted.valid_until, at(0) + TimeDelta::days(365));
}

#[tokio::test(start_paused = true)]
async fn a_first_refusal_of_an_analytics_token_is_asked_about_again() {
    let prices = vec![LastPriceAnswer::TokenDead, LastPriceAnswer::Given];
    let fixture = Fixture::new(ProfileAnswer::Invalid, prices);
    fixture.store.put(stored("PRIMARY", 1));
    fixture
        .adopt_analytics(claims(Some("AB1234"), None))
        .await
        .unwrap();
}

#[rstest]
#[case::of_the_day(made(5), vec![], "it is the day's token of an app. `vega adopt API` takes it")]
#[case::of_the_day_or_ending(claims(Some("AB1234"), Some(5)), vec![], "or an analytics token at its end")]
#[case::over(claims(Some("AB1234"), Some(-5)), vec![], "died at")]
#[case::a_strangers(claims(Some("ZZ9999"), None), vec![], "belongs to ZZ9999")]
#[case::dead(claims(Some("AB1234"), None), vec![LastPriceAnswer::TokenDead, LastPriceAnswer::TokenDead], "calls this token dead")]
#[case::not_known(claims(Some("AB1234"), None), vec![LastPriceAnswer::Unknown(down())], "did not say")]
#[tokio::test(start_paused = true)]
async fn an_analytics_token_that_does_not_belong_is_refused_with_its_cause(
    #[case] claims: TokenClaims,
    #[case] prices: Vec<LastPriceAnswer>,
    #[case] words: &str,
) {
    let fixture = Fixture::new(ProfileAnswer::Invalid, prices);
    fixture.store.put(stored("PRIMARY", 1));
    let refused = fixture.adopt_analytics(claims).await.unwrap_err().to_string();
    assert!(
        refused.contains(words) && !refused.contains("CANARY"),
        "{refused}"
    );
    assert!(fixture.analytics().is_none());
}

/// On its last day it still opens what it opened, and what it says of itself tells it from a day's token.
#[tokio::test]
async fn an_analytics_token_is_taken_on_its_last_day() {
    let fixture = Fixture::new(ProfileAnswer::Invalid, vec![LastPriceAnswer::Given]);
    fixture.store.put(stored("PRIMARY", 1));
    let adopted = fixture.adopt_analytics(made(24 * 364)).await.unwrap();
    assert_eq!(adopted.valid_until, at(0) + TimeDelta::hours(5));
}

/// What a token says of itself is no proof: it would be given to this account's programs for a year.
#[rstest]
#[case::it_does_not_say(None)]
#[case::it_says_so_itself(Some("ZZ9999"))]
#[tokio::test]
async fn one_of_an_account_whose_person_nobody_knows_is_not_taken(#[case] says: Option<&str>) {
    let fixture = Fixture::new(ProfileAnswer::Invalid, vec![]);
    let refused = fixture.adopt_analytics(claims(says, None)).await.unwrap_err();
    assert!(matches!(refused, AdoptionError::Nobodys(_)), "{refused}");
    assert!(fixture.analytics().is_none());
}
