//! No secret in anything that is shown or kept in plain text: failures, audit entries, events.

use std::fmt::Write;
use std::time::Duration;

use rstest::rstest;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{ExchangeError, ProfileAnswer};

use crate::generation_fixture::{GenerationFixture, token_of, user};

/// Sets one thing wrong in the fixture.
type Trouble = fn(&GenerationFixture);

#[rstest]
#[case::none(|_: &GenerationFixture| ())]
#[case::lost(|fixture: &GenerationFixture| {
    fixture.broker.answers(Duration::ZERO, vec![Err(ExchangeError::OutcomeUnknown("reset".into()))]);
})]
#[case::refused(|fixture: &GenerationFixture| fixture.broker.reads(Err(Failure::new(FailureReason::NeedsReview, "HTTP 200"))))]
#[case::wrong_user(|fixture: &GenerationFixture| fixture.broker.reads(Ok(token_of("ZZ9999"))))]
#[case::profile_of_another(|fixture: &GenerationFixture| fixture.broker.says(ProfileAnswer::Valid(user("ZZ9999"))))]
#[case::dead(|fixture: &GenerationFixture| fixture.broker.says(ProfileAnswer::Invalid))]
#[case::no_open_attempt(|fixture: &GenerationFixture| fixture.faults.fail_at("open_attempt"))]
#[case::no_ledger(|fixture: &GenerationFixture| fixture.faults.fail_at("request_otp"))]
#[case::no_sealed_code(|fixture: &GenerationFixture| fixture.faults.fail_at("seal_code"))]
#[case::no_sealed_answer(|fixture: &GenerationFixture| fixture.faults.fail_at("seal_answer"))]
#[case::no_store(|fixture: &GenerationFixture| fixture.faults.fail_at("store"))]
#[tokio::test(start_paused = true)]
async fn nothing_that_is_shown_holds_a_secret(#[case] trouble: Trouble) {
    let fixture = GenerationFixture::new();
    trouble(&fixture);
    let mut human = fixture.human();
    let made = fixture.generate_with(&mut human).await;
    let mut shown = format!("{made:?}");
    if let Err(failure) = &made {
        write!(shown, "\n{failure}").unwrap();
    }
    fixture.faults.heal();
    let recovered = fixture
        .service()
        .recover(std::slice::from_ref(&fixture.account))
        .await
        .unwrap();
    write!(shown, "\n{recovered:?}").unwrap();
    write!(shown, "\n{:?}", fixture.database.audit()).unwrap();
    write!(shown, "\n{:?}", fixture.events.all.lock().unwrap()).unwrap();
    write!(shown, "\n{:?}", fixture.database.tokens()).unwrap();

    assert!(!shown.contains("CANARY"), "{shown}");
    assert!(!shown.contains(fixture.account.mobile_number.digits()), "{shown}");
    for state in &human.states {
        assert!(!shown.contains(state.as_str()), "{shown}");
    }
}
