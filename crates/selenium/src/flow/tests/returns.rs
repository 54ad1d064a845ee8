//! Forms that come back without a refusal, or with a refusal of another screen: an earlier form after a submit, a box
//! that the page emptied before anything was submitted, a form that only looks submitted. Also how soon a refusal is
//! noticed.

use rstest::rstest;

use super::refusals::{form, sent, with_a_window};
use super::*;
use crate::oauth_login_automation::LOOK_EVERY;
use crate::page_snapshot::Entry;

const HELP: &str = "Need help?";

fn after(of: Form, seen: PageSnapshot) -> PageSnapshot {
    PageSnapshot {
        came_after: Some(of),
        came_after_ms: 500,
        ..seen
    }
}

fn by_the_humans_hand(seen: PageSnapshot) -> PageSnapshot {
    PageSnapshot {
        arrived_by_itself: false,
        ..seen
    }
}

#[rstest]
#[case::otp_in_a_new_document(Form::Pin, form(Form::Otp, "B", &["Enter OTP", "That PIN is not right"], false), Some(FailureReason::PinRefused))]
#[case::mobile_in_a_new_document(Form::Pin, form(Form::Mobile, "B", &["Incorrect PIN. Please log in again"], false), Some(FailureReason::PinRefused))]
#[case::mobile_without_a_word(Form::Otp, form(Form::Mobile, "B", &["Enter mobile number"], false), Some(FailureReason::OtpRefused))]
#[case::in_the_same_document(Form::Pin, after(Form::Pin, form(Form::Otp, "A", &["Enter OTP"], false)), Some(FailureReason::PinRefused))]
#[case::between_two_looks(Form::Otp, after(Form::Pin, form(Form::Otp, "C", &["Enter OTP"], false)), Some(FailureReason::PinRefused))]
#[case::a_session_that_was_over(Form::Pin, form(Form::Mobile, "B", &["Your session has expired. Please log in again"], false), Some(FailureReason::BrokerDown))]
#[case::trouble(Form::Pin, form(Form::Mobile, "B", &["Something went wrong"], false), Some(FailureReason::BrokerDown))]
#[case::throttled(Form::Otp, form(Form::Mobile, "B", &["Too many requests"], false), Some(FailureReason::Throttled))]
#[case::locked(Form::Pin, form(Form::Mobile, "B", &["Your account is locked"], false), Some(FailureReason::AccountLocked))]
#[case::the_human_went_back(Form::Pin, by_the_humans_hand(form(Form::Otp, "B", &["Enter OTP"], false)), None)]
#[case::turned_back_in_the_same_document(Form::Pin, form(Form::Otp, "A", &["Enter OTP"], false), None)]
#[case::still_loading(Form::Pin, PageSnapshot { busy: true, ..form(Form::Otp, "B", &["Enter OTP"], false) }, None)]
#[case::the_next_one(Form::Otp, after(Form::Otp, form(Form::Pin, "B", &["Enter PIN"], false)), None)]
#[case::a_note_of_an_earlier_attempt(Form::Otp, PageSnapshot { came_after_ms: 600_000, ..after(Form::Pin, form(Form::Otp, "A", &["Enter OTP"], false)) }, None)]
fn an_earlier_form_after_a_submit_is_a_refusal_of_what_was_submitted(
    #[case] of: Form,
    #[case] later: PageSnapshot,
    #[case] expected: Option<FailureReason>,
) {
    let mut script = Script::new();
    script.pressed(0);
    script.at(0, &form(of, "A", &[HELP], false));
    script.at(1, &sent(form(of, "A", &[HELP], true), of));
    let first = script.at(2, &later);
    assert_eq!(reason(&first), None, "it may still move on");
    if expected.is_some() {
        assert_eq!(first, Action::Wait, "nothing is asked for meanwhile");
    }
    let end = script.at(4, &later);
    assert_eq!(reason(&end), expected, "{end:?}");
}

#[test]
fn the_words_that_refuse_come_first() {
    let mut script = Script::new();
    script.pressed(0);
    script.at(0, &sent(form(Form::Pin, "A", &[HELP], true), Form::Pin));
    let later = form(Form::Mobile, "B", &["Welcome", "Incorrect PIN 482913"], false);
    script.at(1, &later);
    match script.at(3, &later) {
        Action::Fail(failure) => assert_eq!(failure.detail, "Incorrect PIN [number] Welcome"),
        other => panic!("{other:?}"),
    }
}

/// The page accepted the OTP, but had refused the PIN and gave its form back.
#[test]
fn a_pin_that_sent_the_human_back_is_told_once_and_stays_refused() {
    let mut script = with_a_window();
    script.pressed(0);
    script.at(0, &sent(form(Form::Pin, "A", &[HELP], true), Form::Pin));
    let back = form(Form::Otp, "B", &["Enter OTP"], false);
    script.at(1, &back);
    let because = FailureReason::PinRefused;
    assert_eq!(script.at(3, &back), Action::Tell(Notice::Refused { because }));
    for second in 4..9 {
        assert_eq!(script.at(second, &back), Action::Wait);
    }
    script.at(9, &after(Form::Otp, form(Form::Pin, "C", &[HELP], false)));
    assert_eq!(script.flow.refused().map(|failure| failure.reason), Some(because));
    let end = script.at(400, &form(Form::Pin, "C", &[HELP], false));
    assert_eq!(reason(&end), Some(because));
}

/// The OTP was typed, submitted and refused before Vega looked at its form for the first time.
#[rstest]
#[case::of_this_attempt(100, Some(FailureReason::OtpRefused))]
#[case::of_an_earlier_one(600_000, None)]
fn a_form_that_was_refused_before_the_first_look(
    #[case] milliseconds: u64,
    #[case] expected: Option<FailureReason>,
) {
    let mut script = Script::new();
    script.at(0, &form(Form::Mobile, "A", &[], true));
    script.pressed(1);
    let seen = PageSnapshot {
        came_after: Some(Form::Otp),
        came_after_ms: milliseconds,
        ..form(Form::Otp, "C", &["Enter OTP", "No."], false)
    };
    let first = (script.at(2, &seen), script.at(3, &seen));
    if expected.is_some() {
        // The press is put on record, as for any OTP that is asked for.
        assert_eq!(first.1, Action::Wait, "nothing is asked for meanwhile: {first:?}");
    }
    assert_eq!(reason(&script.at(5, &seen)), expected);
}

/// The human requested the OTP in the window and mistyped it before the first look: the press is counted all the same.
#[test]
fn a_press_in_the_window_is_on_record_also_before_a_refusal() {
    let mut script = Script::new();
    script.at(0, &form(Form::Mobile, "A", &[], true));
    let seen = after(Form::Otp, form(Form::Otp, "C", &["Enter OTP", "No."], false));
    assert_eq!(script.at(2, &seen), Action::NotePress);
    script.at(3, &seen);
    assert_eq!(reason(&script.at(5, &seen)), Some(FailureReason::OtpRefused));
}

/// Looks come as often as in a sign-in; a refusal that is on the page from the first look on is reported within three
/// seconds.
#[rstest]
#[case::the_same_form(form(Form::Pin, "B", &[HELP, "Nope"], false))]
#[case::an_earlier_form(form(Form::Otp, "B", &["Enter OTP"], false))]
#[case::no_form(PageSnapshot { document: "B".into(), lines: vec!["Incorrect PIN".into()], ..unfamiliar() })]
fn a_refusal_is_noticed_within_three_seconds(#[case] refused: PageSnapshot) {
    for window in [false, true] {
        let mut script = if window { with_a_window() } else { Script::new() };
        script.pressed(0);
        script.at(0, &sent(form(Form::Pin, "A", &[HELP], true), Form::Pin));
        let came = script.start + Duration::from_secs(1);
        let mut looks = (0..).map(|look| LOOK_EVERY * look);
        let noticed = looks.find(|after| {
            let step = script.flow.next(&refused, came + *after);
            reason(&step).is_some() || matches!(step, Action::Tell(Notice::Refused { .. }))
        });
        assert!(
            noticed.is_some_and(|after| after < Duration::from_secs(3)),
            "{noticed:?}"
        );
    }
}

fn typed(script: &mut Script) {
    script.pressed(0);
    script.at(0, &form(Form::Otp, "A", &[HELP], false));
    script.flow.second_factor_typed(PromptKind::Otp);
    script.at(1, &form(Form::Otp, "A", &[HELP], true));
}

/// A box of which the page, while it was still loading, kept only a part of the entry.
fn part(empty: bool) -> PageSnapshot {
    let entry = Entry {
        form: Form::Otp,
        full: false,
        sent: false,
        guessed: false,
        back: false,
    };
    PageSnapshot {
        entry: Some(entry),
        ..form(Form::Otp, "A", &[HELP], !empty)
    }
}

/// A page can submit a complete entry without an event that shows it; another OTP would be the second one.
#[rstest]
#[case::headless(false, Some(FailureReason::OtpRefused), None)]
#[case::in_a_window(true, None, Some(Notice::Refused { because: FailureReason::OtpRefused }))]
fn a_full_box_that_was_emptied_is_never_asked_for_again(
    #[case] window: bool,
    #[case] ends: Option<FailureReason>,
    #[case] tells: Option<Notice>,
) {
    let mut script = if window { with_a_window() } else { Script::new() };
    typed(&mut script);
    let full = Entry {
        form: Form::Otp,
        full: true,
        sent: false,
        guessed: false,
        back: false,
    };
    let emptied = PageSnapshot {
        entry: Some(full),
        ..form(Form::Otp, "A", &[HELP], false)
    };
    let steps: Vec<Action> = (2..9).map(|second| script.at(second, &emptied)).collect();
    assert!(!steps.contains(&Action::Offer(PromptKind::Otp)), "{steps:?}");
    assert_eq!(steps.iter().find_map(reason), ends, "{steps:?}");
    assert_eq!(
        steps
            .iter()
            .any(|step| Some(step) == tells.map(Action::Tell).as_ref()),
        tells.is_some(),
        "{steps:?}"
    );
    if window {
        let end = script.at(400, &emptied);
        assert_eq!(
            reason(&end),
            Some(FailureReason::OtpRefused),
            "no timeout: {end:?}"
        );
    }
}

/// Throttling or a changed page after a refused PIN does not remove the stop.
#[rstest]
#[case(FailureReason::Throttled, FailureReason::PinRefused)]
#[case(FailureReason::PageChanged, FailureReason::PinRefused)]
#[case(FailureReason::BrowserGone, FailureReason::PinRefused)]
#[case(FailureReason::AccountLocked, FailureReason::AccountLocked)]
fn a_refused_pin_is_the_gravest_but_for_a_lock(#[case] later: FailureReason, #[case] counts: FailureReason) {
    let mut script = with_a_window();
    script.pressed(0);
    script.at(0, &sent(form(Form::Pin, "A", &[HELP], true), Form::Pin));
    let refused = form(Form::Pin, "B", &["Incorrect PIN"], false);
    script.at(1, &refused);
    script.at(3, &refused);
    let failure = script.flow.gravest(Failure::new(later, ""));
    assert_eq!(failure.reason, counts);
}

/// Nothing was submitted, so no OTP is used up. Without a window nobody else could type it again.
#[test]
fn what_the_page_emptied_before_a_submit_is_asked_for_again() {
    let mut script = Script::new();
    script.pressed(0);
    script.at(0, &part(true));
    script.flow.second_factor_typed(PromptKind::Otp);
    script.at(1, &part(false));
    let emptied = part(true);
    assert_eq!(script.at(2, &emptied), Action::Wait, "it may be a moment");
    assert_eq!(script.at(4, &emptied), Action::Offer(PromptKind::Otp));
    let held = part(false);
    for (second, expected) in [(5, true), (9, false)] {
        script.flow.second_factor_typed(PromptKind::Otp);
        script.at(second, &held);
        script.at(second + 1, &emptied);
        let step = script.at(second + 3, &emptied);
        assert_eq!(step == Action::Offer(PromptKind::Otp), expected, "not for ever");
    }
}

#[rstest]
#[case::submitted(sent(form(Form::Otp, "A", &[HELP], false), Form::Otp))]
#[case::busy(PageSnapshot { busy: true, ..form(Form::Otp, "A", &[HELP], false) })]
fn what_may_be_submitted_is_not_asked_for_again(#[case] emptied: PageSnapshot) {
    let mut script = Script::new();
    typed(&mut script);
    for second in 2..20 {
        assert_ne!(script.at(second, &emptied), Action::Offer(PromptKind::Otp));
    }
}

#[test]
fn headless_an_entry_that_nobody_can_submit_ends_soon() {
    let mut script = Script::new();
    typed(&mut script);
    let stands = form(Form::Otp, "A", &[HELP], true);
    assert_eq!(script.at(7, &stands), Action::Wait);
    assert_eq!(reason(&script.at(47, &stands)), Some(FailureReason::PageChanged));
}

/// The page called its server when the box was full: perhaps with the PIN, perhaps for something else.
#[rstest]
#[case::nothing_comes_of_it(false, false)]
#[case::it_works_on_it(true, false)]
#[case::it_was_submitted(false, true)]
fn a_form_that_only_looks_submitted_is_the_humans_to_press(#[case] busy: bool, #[case] submitted: bool) {
    let entry = Entry {
        form: Form::Pin,
        full: true,
        sent: true,
        guessed: !submitted,
        back: false,
    };
    let stands = PageSnapshot {
        busy,
        entry: Some(entry),
        pin_continue: Some(button(true)),
        ..form(Form::Pin, "A", &[HELP], true)
    };
    for window in [true, false] {
        let mut script = if window { with_a_window() } else { Script::new() };
        script.pressed(0);
        script.at(0, &form(Form::Pin, "A", &[HELP], false));
        script.flow.second_factor_typed(PromptKind::Pin);
        let steps: Vec<Action> = (1..100).map(|second| script.at(second, &stands)).collect();
        let presses = steps.iter().filter(|step| matches!(step, Action::Submit { .. }));
        assert_eq!(presses.count(), 0, "it could be a second PIN");
        let asks = steps.contains(&Action::Tell(Notice::DoItInTheWindow));
        let ends = steps
            .iter()
            .any(|step| reason(step) == Some(FailureReason::PageChanged));
        let is_for_nothing = !busy && !submitted;
        assert_eq!(
            (asks, ends),
            (is_for_nothing && window, is_for_nothing && !window),
            "{steps:?}"
        );
    }
}
