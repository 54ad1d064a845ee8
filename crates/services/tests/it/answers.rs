//! What an answer is worth: whose token it is and what Upstox says about it decide whether it is stored and served.

use std::time::Duration;

use rstest::rstest;
use tokio::time::Instant;
use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::ProfileAnswer;
use vega_domain::token::{CheckResult, TokenStatus};

use crate::generation_fixture::{GenerationFixture, token_of, user};
use vega_testing::memory_store::End;

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_refused_closes_the_attempt_and_stores_nothing() {
    for &reason in FailureReason::ALL {
        if reason.is_of_storage() {
            continue;
        }
        let fixture = GenerationFixture::new();
        fixture.broker.reads(Err(Failure::new(reason, "UDAPI100000")));
        assert_eq!(fixture.generate().await, Err(Failure::new(reason, "UDAPI100000")));
        let after_post = ["POST", "seal_answer", "record verifying", "read"].map(str::to_owned);
        let mut expected = after_post.to_vec();
        expected.push(format!("close {reason}"));
        assert_eq!(fixture.log.take()[7..], expected);
        assert_eq!(fixture.database.ends(), [End::Closed(reason)]);
        assert!(fixture.database.tokens().is_empty());
        assert!(!fixture.is_served());
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_of_another_user_is_not_stored_and_not_even_shown_to_the_profile() {
    let fixture = GenerationFixture::new();
    fixture.broker.reads(Ok(token_of("ZZ9999")));
    let failure = fixture.generate().await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::WrongUser);
    assert!(failure.detail.contains("AB1234") && failure.detail.contains("ZZ9999"));
    assert_eq!(
        fixture.log.take()[10..],
        ["read", "log out", "token_logged_out", "close wrong_user"]
    );
    assert_eq!(fixture.database.ends(), [End::Closed(FailureReason::WrongUser)]);
    assert!(fixture.database.tokens().is_empty());
    assert!(!fixture.is_served());
}

#[tokio::test(start_paused = true)]
async fn a_stranger_whose_logout_fails_is_refused_all_the_same_and_the_audit_says_so() {
    let fixture = GenerationFixture::new();
    fixture.broker.reads(Ok(token_of("ZZ9999")));
    fixture
        .broker
        .refuses_logout(Failure::new(FailureReason::Network, "no route"));
    assert_eq!(
        fixture.generate().await.unwrap_err().reason,
        FailureReason::WrongUser
    );
    let audit = fixture.database.audit();
    let logged_out = audit
        .iter()
        .find(|entry| entry.kind == AuditKind::TokenLoggedOut)
        .unwrap();
    assert!(
        logged_out.detail.contains("could not be logged out"),
        "{logged_out:?}"
    );
    assert!(fixture.database.tokens().is_empty());
}

/// Nobody said whose the account is: its first success does.
#[tokio::test(start_paused = true)]
async fn whose_an_account_is_is_learned_at_its_first_success() {
    let mut fixture = GenerationFixture::new();
    fixture.account.user_id = None;
    fixture.generate().await.unwrap();
    fixture.broker.reads(Ok(token_of("ZZ9999")));
    let failure = fixture.generate().await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::WrongUser);
    assert!(
        failure.detail.contains("as in its earlier tokens") && failure.detail.contains("AB1234"),
        "{failure}"
    );
    assert_eq!(fixture.database.tokens().len(), 1, "the first one stays");
}

#[tokio::test(start_paused = true)]
async fn a_configured_user_counts_more_than_a_learned_one() {
    let mut fixture = GenerationFixture::new();
    fixture.account.user_id = None;
    fixture.generate().await.unwrap();
    fixture.account.user_id = Some(user("ZZ9999"));
    fixture.broker.reads(Ok(token_of("ZZ9999")));
    fixture.broker.says(ProfileAnswer::Valid(user("ZZ9999")));
    fixture.generate().await.unwrap();
}

/// The answer is sealed; the next start reads it again.
#[tokio::test(start_paused = true)]
async fn when_nobody_can_say_whose_an_account_is_the_token_waits() {
    let mut fixture = GenerationFixture::new();
    fixture.account.user_id = None;
    fixture.faults.fail_at("owner");
    assert_eq!(
        fixture.generate().await.unwrap_err().reason,
        FailureReason::Storage
    );
    assert_eq!(fixture.database.ends(), [End::Open]);
}

#[tokio::test(start_paused = true)]
async fn an_account_without_a_pinned_user_takes_the_user_that_upstox_names() {
    let mut fixture = GenerationFixture::new();
    fixture.account.user_id = None;
    fixture.broker.reads(Ok(token_of("ZZ9999")));
    fixture.broker.says(ProfileAnswer::Valid(user("ZZ9999")));
    fixture.generate().await.unwrap();
    assert_eq!(fixture.database.tokens()[0].token.user_id, user("ZZ9999"));
    assert!(fixture.is_served());
}

fn outage() -> ProfileAnswer {
    ProfileAnswer::Unknown(Failure::new(FailureReason::Network, "timed out"))
}

#[rstest]
#[case::unreachable(outage(), FailureReason::Unverified, TokenStatus::Unknown)]
#[case::dead(ProfileAnswer::Invalid, FailureReason::TokenRejected, TokenStatus::Invalid)]
#[case::profile_of_another(
    ProfileAnswer::Valid(user("ZZ9999")),
    FailureReason::Unverified,
    TokenStatus::Unknown
)]
#[tokio::test(start_paused = true)]
async fn a_token_that_upstox_does_not_confirm_is_kept_but_published_to_nobody(
    #[case] profile: ProfileAnswer,
    #[case] reason: FailureReason,
    #[case] status: TokenStatus,
) {
    let fixture = GenerationFixture::new();
    fixture.broker.says(profile);
    assert_eq!(fixture.generate().await.unwrap_err().reason, reason);
    let mut calls = fixture.log.take().split_off(10);
    calls.dedup();
    assert_eq!(calls, ["read", "profile", "store"]);
    assert_eq!(fixture.database.ends(), [End::Stored]);
    let token = fixture.database.tokens().remove(0).token;
    assert_eq!(token.verified_at, None);
    assert_eq!(token.rejected_at.is_some(), status == TokenStatus::Invalid);
    assert_eq!(token.status(token.issued_at), status);
    assert!(!fixture.is_served());
    assert!(fixture.events.all.lock().unwrap().is_empty());
}

/// The one before died at Upstox when the new one was made, whatever can be said of the new one.
#[rstest]
#[case::unreachable(outage())]
#[case::dead(ProfileAnswer::Invalid)]
#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_confirmed_takes_the_one_before_out(#[case] profile: ProfileAnswer) {
    let fixture = GenerationFixture::new();
    fixture.generate().await.unwrap();
    assert!(fixture.is_served());
    fixture.broker.says(profile);
    fixture.generate().await.unwrap_err();
    assert_eq!(fixture.database.tokens().len(), 2);
    assert!(!fixture.is_served());
}

#[tokio::test(start_paused = true)]
async fn the_stored_check_says_why_it_could_not_be_made() {
    let fixture = GenerationFixture::new();
    fixture.broker.says(outage());
    let failure = fixture.generate().await.unwrap_err();
    assert!(failure.detail.contains("timed out"), "{failure}");
    let check = fixture.database.tokens()[0].token.last_check.unwrap();
    assert_eq!(check.result, CheckResult::Unknown(FailureReason::Network));
}

fn refused(times: usize) -> Vec<ProfileAnswer> {
    vec![ProfileAnswer::Invalid; times]
}

/// How long the profile was asked about, and how often.
async fn generated(fixture: &GenerationFixture) -> (Result<(), FailureReason>, Duration, usize) {
    let began = Instant::now();
    let made = fixture.generate().await;
    let asked = fixture.log.take();
    let asked = asked.iter().filter(|call| *call == "profile").count();
    let made = made.map(drop).map_err(|failure| failure.reason);
    (made, began.elapsed(), asked)
}

/// Upstox knows it everywhere some seconds later.
#[rstest]
#[case::at_once(0, 0)]
#[case::after_a_second(1, 1)]
#[case::after_three_seconds(2, 3)]
#[case::in_the_last_moment(5, 20)]
#[tokio::test(start_paused = true)]
async fn a_new_token_that_is_refused_at_first_is_asked_about_again(
    #[case] refusals: usize,
    #[case] seconds: u64,
) {
    let fixture = GenerationFixture::new();
    fixture.broker.says_first(refused(refusals));
    let (made, took, asked) = generated(&fixture).await;
    assert_eq!(
        (made, took, asked),
        (Ok(()), Duration::from_secs(seconds), refusals + 1)
    );
    assert!(fixture.is_served());
    let token = fixture.database.tokens().remove(0).token;
    assert_eq!((token.rejected_at, token.verified_at.is_some()), (None, true));
}

#[tokio::test(start_paused = true)]
async fn a_new_token_that_is_refused_for_20_seconds_is_dead() {
    let fixture = GenerationFixture::new();
    fixture.broker.says(ProfileAnswer::Invalid);
    let (made, took, asked) = generated(&fixture).await;
    assert_eq!(made, Err(FailureReason::TokenRejected));
    assert_eq!((took, asked), (Duration::from_secs(20), 6));
    assert!(fixture.database.tokens()[0].token.is_refused());
    let advice = FailureReason::TokenRejected.advice();
    for blame in ["nobody", "somebody", "else signs in"] {
        assert!(!advice.contains(blame), "{advice}");
    }
}

/// A refusal that is followed by an outage has not been repeated.
#[tokio::test(start_paused = true)]
async fn a_refusal_before_an_outage_is_no_death() {
    let fixture = GenerationFixture::new();
    fixture.broker.says_first(refused(3));
    fixture.broker.says(outage());
    let (made, ..) = generated(&fixture).await;
    assert_eq!(made, Err(FailureReason::Unverified));
    assert!(!fixture.database.tokens()[0].token.is_refused());
}

/// What is no refusal is not asked about again: it is settled in the background.
#[tokio::test(start_paused = true)]
async fn an_outage_keeps_nobody_waiting() {
    let fixture = GenerationFixture::new();
    fixture.broker.says(outage());
    let (_, took, asked) = generated(&fixture).await;
    assert_eq!((took, asked), (Duration::ZERO, 1));
}
