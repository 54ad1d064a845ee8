//! A press of "Get OTP" is put on record first, once per attempt and within the budget of the mobile number.

use std::time::Duration;

use vega_domain::failure::FailureReason;

use crate::generation_fixture::GenerationFixture;
use vega_testing::memory_store::End;

#[tokio::test(start_paused = true)]
async fn a_granted_press_is_on_record_before_it_is_made() {
    let fixture = GenerationFixture::new();
    fixture.generate().await.unwrap();
    let log = fixture.log.take();
    let recorded = log.iter().position(|effect| effect == "request_otp").unwrap();
    assert_eq!(log[recorded + 1], "press");
    assert_eq!(log.iter().filter(|effect| *effect == "press").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_used_up_budget_ends_the_attempt_without_a_press() {
    let fixture = GenerationFixture::new();
    for _ in 0..4 {
        fixture.generate().await.unwrap();
    }
    fixture.log.take();

    let failure = fixture.generate().await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::OtpBudget);
    assert!(failure.detail.contains("08:56:00 IST"), "{failure}");
    assert_eq!(
        fixture.log.take(),
        [
            "record signing_in",
            "open_attempt",
            "sign_in",
            "request_otp",
            "close otp_budget"
        ]
    );

    tokio::time::advance(Duration::from_mins(11)).await;
    fixture.generate().await.unwrap();
    assert!(
        fixture.log.take().contains(&"press".to_owned()),
        "the window has passed"
    );
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_the_one_of_the_settings() {
    let mut fixture = GenerationFixture::new();
    fixture.budget.presses = 0;
    assert_eq!(
        fixture.generate().await.unwrap_err().reason,
        FailureReason::OtpBudget
    );
    assert!(!fixture.log.take().contains(&"press".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_second_press_in_one_attempt_is_refused() {
    let fixture = GenerationFixture::new();
    let mut human = fixture.human();
    human.presses = 2;
    let failure = fixture.generate_with(&mut human).await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::RedirectTimeout);
    assert_eq!(
        fixture.log.take(),
        [
            "record signing_in",
            "open_attempt",
            "sign_in",
            "request_otp",
            "press",
            "request_otp",
            "close redirect_timeout"
        ]
    );
    assert_eq!(
        fixture.database.ends(),
        [End::Closed(FailureReason::RedirectTimeout)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_press_in_the_window_goes_on_record_beyond_the_budget_and_counts_afterwards() {
    let mut fixture = GenerationFixture::new();
    fixture.budget.presses = 1;
    let mut by_hand = fixture.human();
    by_hand.presses = 0;
    by_hand.presses_in_the_window = true;
    fixture.generate_with(&mut by_hand).await.unwrap();
    let log = fixture.log.take();
    let pressed = log
        .iter()
        .position(|effect| effect == "press in the window")
        .unwrap();
    assert_eq!(log[pressed + 1], "note_otp");

    let failure = fixture.generate().await.unwrap_err();
    assert_eq!(
        failure.reason,
        FailureReason::OtpBudget,
        "it counts for Vega's presses"
    );
    fixture.generate_with(&mut by_hand).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_press_after_the_humans_in_the_same_attempt_is_refused() {
    let fixture = GenerationFixture::new();
    let mut human = fixture.human();
    human.presses_in_the_window = true;
    let failure = fixture.generate_with(&mut human).await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::RedirectTimeout);
    assert!(!fixture.log.take().contains(&"press".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_press_in_the_window_that_cannot_be_recorded_ends_the_attempt() {
    let fixture = GenerationFixture::new();
    fixture.faults.fail_at("note_otp");
    let mut human = fixture.human();
    human.presses_in_the_window = true;
    let failure = fixture.generate_with(&mut human).await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::Storage);
}
