//! One wait for a code: pasted addresses, the OTP on record, and the end of the human's time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use vega_domain::failure::FailureReason;
use vega_domain::sign_in::{Notice, WayBack};

use crate::sign_in_fixture::SignInFixture;

const URI: &str = "https://desk.example/cb";

#[tokio::test]
async fn a_pasted_address_is_as_good_as_a_callback() {
    for pasted in [
        "https://desk.example/cb?code=mk404x&state=S-1",
        "  https://desk.example/cb?state=S-1&code=mk404x \n",
        "desk.example/cb?code=mk404x&state=S-1",
    ] {
        let (fixture, mut desk) = SignInFixture::new(URI);
        let mut session = fixture.session().await;
        desk.keyboard.send(pasted.into()).unwrap();
        assert_eq!(
            fixture.sign_in(&mut session, "PRIMARY", "S-1").await.unwrap(),
            "mk404x"
        );
        let link = desk.links.recv().await.unwrap();
        let why = "the redirect URI is an https address, and Vega has no certificate for it".into();
        assert_eq!(link.way_back, WayBack::PasteOnly { why });
        assert_eq!(fixture.told(), []);
    }
}

#[tokio::test]
async fn a_wrong_paste_is_explained_and_asked_again() {
    let (fixture, desk) = SignInFixture::new(URI);
    let mut session = fixture.session().await;
    desk.keyboard
        .send("https://desk.example/cb?code=a&state=S-0".into())
        .unwrap();
    fixture.sign_in(&mut session, "WEBSOCKET1", "S-0").await.unwrap();
    for (pasted, told) in [
        ("123456", Notice::NotTheRedirect),
        (
            "https://desk.example/other?code=mk404x&state=S-1",
            Notice::NotTheRedirect,
        ),
        ("https://desk.example/cb?code=mk404x", Notice::NotTheRedirect),
        (
            "https://desk.example/cb?code=mk404x&state=S-9",
            Notice::ForeignRedirect,
        ),
        // The one before this: its sign-in has its code.
        (
            "https://desk.example/cb?code=a&state=S-0",
            Notice::ForeignRedirect,
        ),
    ] {
        desk.keyboard.send(pasted.into()).unwrap();
        let state = format!("S-1-{}", pasted.len());
        let right = format!("https://desk.example/cb?code=mk404x&state={state}");
        desk.keyboard.send(right).unwrap();
        let before = fixture.told().len();
        let code = fixture.sign_in(&mut session, "PRIMARY", &state).await;
        assert_eq!(code.unwrap(), "mk404x", "{pasted}");
        assert_eq!(fixture.told()[before..], [told], "{pasted}");
    }
}

#[tokio::test]
async fn a_session_puts_one_press_on_record_and_the_budget_may_refuse_it() {
    let (mut fixture, desk) = SignInFixture::new(URI);
    let mut session = fixture.session().await;
    for state in ["S-1", "S-2", "S-3"] {
        let right = format!("https://desk.example/cb?code=mk404x&state={state}");
        desk.keyboard.send(right).unwrap();
        fixture.sign_in(&mut session, "PRIMARY", state).await.unwrap();
    }
    assert_eq!(fixture.permit.asked.load(Ordering::Relaxed), 1);

    fixture.permit.budget = 1;
    let mut session = fixture.session().await;
    let refused = fixture.sign_in(&mut session, "PRIMARY", "S-4").await.unwrap_err();
    assert_eq!(refused.reason, FailureReason::OtpBudget);
}

#[tokio::test(start_paused = true)]
async fn nobody_comes_back_in_time() {
    let (mut fixture, mut desk) = SignInFixture::new(URI);
    fixture.waits_for(Duration::from_mins(5));
    let mut session = fixture.session().await;
    let began = tokio::time::Instant::now();
    let failure = fixture.sign_in(&mut session, "PRIMARY", "S-1").await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::RedirectTimeout);
    assert_eq!(began.elapsed(), Duration::from_mins(5));
    let link = desk.links.recv().await.unwrap();
    assert_eq!(link.deadline.timestamp(), 1_790_000_300);
}

#[tokio::test(start_paused = true)]
async fn the_same_attempt_can_begin_anew() {
    let (mut fixture, mut desk) = SignInFixture::new(URI);
    fixture.waits_for(Duration::from_mins(5));
    let mut session = fixture.session().await;
    fixture.sign_in(&mut session, "PRIMARY", "S-1").await.unwrap_err();
    desk.keyboard
        .send("https://desk.example/cb?code=mk404x&state=S-1".into())
        .unwrap();
    let code = fixture.sign_in(&mut session, "PRIMARY", "S-1").await;
    assert_eq!(code.unwrap(), "mk404x");
    let [first, second] = [desk.links.recv().await, desk.links.recv().await].map(Option::unwrap);
    assert_eq!(first.link.expose(), second.link.expose());
    assert_eq!(fixture.permit.asked.load(Ordering::Relaxed), 1);
}

/// Nothing is spent on a sign-in that could not end well.
#[tokio::test]
async fn where_the_code_cannot_come_back_nothing_begins() {
    let (mut fixture, mut desk) = SignInFixture::new(URI);
    fixture.has_nobody();
    let mut session = fixture.session().await;
    let failure = fixture.sign_in(&mut session, "PRIMARY", "S-1").await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::OwnBrowserUnavailable);
    assert!(
        failure.detail.contains("https address") && failure.detail.contains("pasted"),
        "{failure}"
    );
    assert_eq!(fixture.permit.asked.load(Ordering::Relaxed), 0);
    assert!(desk.links.try_recv().is_err());
}
