//! Intent before effect, seal before think, publish last; and what the stored token says.

use std::time::Duration;

use chrono::TimeDelta;
use rstest::rstest;
use vega_domain::audit::AuditKind;
use vega_domain::failure::FailureReason;
use vega_domain::ids::Generation;
use vega_domain::token::CheckResult;

use crate::generation_fixture::{GenerationFixture, ist, raw_answer, token_of};
use vega_testing::memory_store::End;

#[tokio::test(start_paused = true)]
async fn seed_2_4_memory_is_secondary_and_published_last() {
    let fixture = GenerationFixture::new();
    assert_eq!(fixture.generate().await, Ok(Generation::FIRST));
    assert_eq!(
        fixture.log.take(),
        [
            "record signing_in",
            "open_attempt",
            "sign_in",
            "request_otp",
            "press",
            "record exchanging",
            "seal_code",
            "POST",
            "seal_answer",
            "record verifying",
            "read",
            "profile",
            "store",
            "publish",
        ]
    );
    assert_eq!(fixture.database.ends(), [End::Stored]);
    assert!(fixture.is_served());
}

#[tokio::test(start_paused = true)]
async fn without_the_otp_screen_no_press_is_recorded() {
    let fixture = GenerationFixture::new();
    let mut human = fixture.human();
    human.presses = 0;
    fixture.generate_with(&mut human).await.unwrap();
    assert_eq!(
        fixture.log.take()[..4],
        [
            "record signing_in",
            "open_attempt",
            "sign_in",
            "record exchanging"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn every_durable_change_names_run_api_and_account() {
    let fixture = GenerationFixture::new();
    fixture.generate().await.unwrap();
    let audit = fixture.database.audit();
    let kinds: Vec<_> = audit.iter().map(|entry| entry.kind).collect();
    assert_eq!(
        kinds,
        [
            AuditKind::AttemptOpened,
            AuditKind::OtpRequested,
            AuditKind::ExchangeIntended,
            AuditKind::AnswerReceived,
            AuditKind::TokenStored,
        ]
    );
    for entry in audit {
        assert_eq!(entry.run, Some(fixture.run), "{:?}", entry.kind);
        assert_eq!(
            entry.api.as_ref(),
            Some(&fixture.account.apis[0].name),
            "{:?}",
            entry.kind
        );
        assert_eq!(
            entry.account.as_ref(),
            Some(&fixture.account.id),
            "{:?}",
            entry.kind
        );
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own_state_and_the_journal_knows_it() {
    let fixture = GenerationFixture::new();
    let mut human = fixture.human();
    fixture.generate_with(&mut human).await.unwrap();
    fixture.generate_with(&mut human).await.unwrap();
    let attempts = fixture.database.attempts();
    let journalled: Vec<_> = attempts.iter().map(|attempt| attempt.state.expose()).collect();
    assert_eq!(journalled, human.states);
    assert_ne!(human.states[0], human.states[1]);
    assert!(
        human.states.iter().all(|state| state.len() >= 32),
        "too short to be unguessable"
    );
    assert_ne!(attempts[0].id, attempts[1].id);
    for attempt in attempts {
        assert_eq!(attempt.client_id, fixture.account.apis[0].client_id);
        assert_eq!(
            (attempt.run, attempt.account),
            (fixture.run, fixture.account.id.clone())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_generation_is_one_more_than_the_newest() {
    let fixture = GenerationFixture::new();
    for made in 1..=3 {
        assert_eq!(fixture.generate().await, Ok(Generation::new(made).unwrap()));
    }
    let mut far = fixture.database.tokens()[2].token.clone();
    far.generation = Generation::new(41).unwrap();
    fixture.database.put(far);
    let next = Generation::new(42).unwrap();
    assert_eq!(fixture.generate().await, Ok(next));
    assert_eq!(fixture.database.attempts()[3].generation, next);
    assert_eq!(
        fixture
            .registry
            .get(&fixture.account.apis[0].name)
            .unwrap()
            .generation,
        next
    );
}

#[tokio::test(start_paused = true)]
async fn the_stored_token_is_verified_and_carries_what_upstox_sent() {
    let fixture = GenerationFixture::new();
    fixture.generate().await.unwrap();
    let stored = fixture.database.tokens().remove(0);
    assert_eq!(stored.attempt, fixture.database.attempts()[0].id);
    assert_eq!(stored.extended_token.unwrap().expose(), "CANARY-extended");
    let token = stored.token;
    assert_eq!(token.access_token.expose(), "CANARY-token");
    assert_eq!(token.client_id, fixture.account.apis[0].client_id);
    assert_eq!(token.account, fixture.account.id);
    assert_eq!(token.user_id.as_str(), "AB1234");
    assert_eq!(token.verified_at, Some(ist("2026-11-23T08:45:00")));
    assert_eq!(token.rejected_at, None);
    assert_eq!(token.last_check.unwrap().result, CheckResult::Valid);
}

/// The POST is sent at one time and answered `takes` seconds later.
#[rstest]
#[case::morning("2026-11-23T08:45:00", 1, None, "2026-11-24T03:30:00")]
#[case::sent_before_0330_answered_after("2026-11-23T03:29:50", 20, None, "2026-11-23T03:30:00")]
#[case::sent_after_0330("2026-11-23T03:30:00", 20, None, "2026-11-24T03:30:00")]
#[case::own_exp_is_earlier("2026-11-23T08:45:00", 1, Some("2026-11-23T15:00:00"), "2026-11-23T15:00:00")]
#[case::own_exp_is_later("2026-11-23T08:45:00", 1, Some("2026-11-30T15:00:00"), "2026-11-24T03:30:00")]
#[tokio::test(start_paused = true)]
async fn validity_counts_from_the_moment_the_post_was_sent(
    #[case] sent: &str,
    #[case] takes: u64,
    #[case] exp: Option<&str>,
    #[case] dies: &str,
) {
    let fixture = GenerationFixture::at(ist(sent));
    fixture
        .broker
        .answers(Duration::from_secs(takes), vec![Ok(raw_answer())]);
    let mut answer = token_of("AB1234");
    answer.exp = exp.map(ist);
    fixture.broker.reads(Ok(answer));
    let made = fixture.generate().await;
    let token = fixture.database.tokens().remove(0).token;
    assert_eq!(token.issued_at, ist(sent));
    assert_eq!(token.valid_until, ist(dies));
    let received = ist(sent) + TimeDelta::seconds(i64::try_from(takes).unwrap());
    assert_eq!(
        fixture.is_served(),
        token.is_servable(received),
        "a dead token is served to nobody"
    );
    match made {
        Ok(_) => assert!(fixture.is_served(), "only a served token is a success"),
        Err(failure) => {
            assert_eq!(failure.reason, FailureReason::ExpiredMeanwhile);
            assert!(!fixture.is_served());
        }
    }
}
