//! No secret in anything that is shown or kept in plain text: failures, audit entries, events.

use std::fmt::Write;
use std::time::Duration;

use rstest::rstest;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{ExchangeError, ProfileAnswer};

use crate::world::{World, token_of, user};

/// Sets one thing wrong in the world.
type Trouble = fn(&World);

#[rstest]
#[case::none(|_: &World| ())]
#[case::lost(|world: &World| {
    world.broker.answers(Duration::ZERO, vec![Err(ExchangeError::OutcomeUnknown("reset".into()))]);
})]
#[case::refused(|world: &World| world.broker.reads(Err(Failure::new(FailureReason::NeedsReview, "HTTP 200"))))]
#[case::wrong_user(|world: &World| world.broker.reads(Ok(token_of("ZZ9999"))))]
#[case::profile_of_another(|world: &World| world.broker.says(ProfileAnswer::Valid(user("ZZ9999"))))]
#[case::dead(|world: &World| world.broker.says(ProfileAnswer::Invalid))]
#[case::no_open_attempt(|world: &World| world.faults.fail_at("open_attempt"))]
#[case::no_ledger(|world: &World| world.faults.fail_at("request_otp"))]
#[case::no_sealed_code(|world: &World| world.faults.fail_at("seal_code"))]
#[case::no_sealed_answer(|world: &World| world.faults.fail_at("seal_answer"))]
#[case::no_store(|world: &World| world.faults.fail_at("store"))]
#[tokio::test(start_paused = true)]
async fn nothing_that_is_shown_holds_a_secret(#[case] trouble: Trouble) {
    let world = World::new();
    trouble(&world);
    let mut human = world.human();
    let made = world.generate_with(&mut human).await;
    let mut shown = format!("{made:?}");
    if let Err(failure) = &made {
        write!(shown, "\n{failure}").unwrap();
    }
    world.faults.heal();
    let recovered = world
        .service()
        .recover(std::slice::from_ref(&world.account))
        .await
        .unwrap();
    write!(shown, "\n{recovered:?}").unwrap();
    write!(shown, "\n{:?}", world.database.audit()).unwrap();
    write!(shown, "\n{:?}", world.events.all.lock().unwrap()).unwrap();
    write!(shown, "\n{:?}", world.database.tokens()).unwrap();

    assert!(!shown.contains("CANARY"), "{shown}");
    assert!(!shown.contains(world.account.mobile_number.digits()), "{shown}");
    for state in &human.states {
        assert!(!shown.contains(state.as_str()), "{shown}");
    }
}
