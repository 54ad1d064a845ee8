//! The page refuses an entry: recognised whatever its text is, reported once, and nothing is submitted after it.

use rstest::rstest;

use super::*;
use crate::page_snapshot::Entry;

const HELP: &str = "The PIN you use in the app.";

/// A form in this document, with these lines, and its box filled or not.
pub(super) fn form(form: Form, document: &str, lines: &[&str], filled: bool) -> PageSnapshot {
    let mut seen = match form {
        Form::Mobile => mobile(!filled, filled),
        Form::Otp => otp(),
        Form::Pin => pin(),
    };
    for field in [&mut seen.otp, &mut seen.pin].into_iter().flatten() {
        field.empty = !filled;
    }
    PageSnapshot {
        document: document.into(),
        arrived_by_itself: true,
        lines: lines.iter().map(ToString::to_string).collect(),
        entry: Some(entry(form, filled, false, false)),
        ..seen
    }
}

fn entry(form: Form, full: bool, sent: bool, back: bool) -> Entry {
    Entry {
        form,
        full,
        sent,
        guessed: false,
        back,
    }
}

pub(super) fn sent(snapshot: PageSnapshot, of: Form) -> PageSnapshot {
    PageSnapshot {
        entry: Some(entry(of, true, true, false)),
        ..snapshot
    }
}

fn given_back(snapshot: PageSnapshot, of: Form) -> PageSnapshot {
    PageSnapshot {
        entry: Some(entry(of, true, true, true)),
        ..snapshot
    }
}

fn detail(step: &Action) -> Option<&str> {
    match step {
        Action::Fail(failure) => Some(&failure.detail),
        _ => None,
    }
}

/// What follows a filled form that was submitted, and how it is judged after two seconds.
#[rstest]
#[case::anew(Form::Pin, form(Form::Pin, "B", &[HELP, "Incorrect PIN. 4 attempts left."], false), Some(FailureReason::PinRefused), "Incorrect PIN. 4 attempts left.")]
#[case::anew_in_other_words(Form::Pin, form(Form::Pin, "B", &[HELP, "आपका पिन गलत है 482913"], false), Some(FailureReason::PinRefused), "आपका पिन गलत है [number]")]
#[case::anew_without_a_word(Form::Pin, form(Form::Pin, "B", &[HELP], false), Some(FailureReason::PinRefused), "the page asks for it again, without a word")]
#[case::the_otp_anew(Form::Otp, form(Form::Otp, "B", &[HELP, "That is not it."], false), Some(FailureReason::OtpRefused), "That is not it.")]
#[case::emptied(Form::Otp, given_back(form(Form::Otp, "A", &[HELP], false), Form::Otp), Some(FailureReason::OtpRefused), "the page asks for it again, without a word")]
#[case::marked(Form::Pin, given_back(form(Form::Pin, "A", &[HELP, "No."], true), Form::Pin), Some(FailureReason::PinRefused), "No.")]
#[case::kept_with_plain_words(Form::Pin, sent(form(Form::Pin, "A", &[HELP, "Wrong PIN"], true), Form::Pin), Some(FailureReason::PinRefused), "Wrong PIN")]
#[case::throttled_anew(Form::Otp, form(Form::Otp, "B", &["Too many requests, try again later."], false), Some(FailureReason::Throttled), "Too many requests, try again later.")]
#[case::trouble_anew(Form::Pin, form(Form::Pin, "B", &["Something went wrong"], false), Some(FailureReason::BrokerDown), "Something went wrong")]
#[case::locked_anew(Form::Pin, form(Form::Pin, "B", &["Your account is locked"], false), Some(FailureReason::AccountLocked), "Your account is locked")]
#[case::refused_without_a_form(Form::Pin, PageSnapshot { document: "B".into(), lines: vec!["Incorrect PIN".into()], ..unfamiliar() }, Some(FailureReason::PinRefused), "Incorrect PIN")]
#[case::still_there(Form::Pin, sent(form(Form::Pin, "A", &[HELP], true), Form::Pin), None, "")]
#[case::other_words(Form::Pin, sent(form(Form::Pin, "A", &[HELP, "Welcome back"], true), Form::Pin), None, "")]
#[case::spinning(Form::Pin, PageSnapshot { busy: true, ..given_back(form(Form::Pin, "A", &[HELP], false), Form::Pin) }, None, "")]
#[case::verifying(Form::Otp, given_back(form(Form::Otp, "A", &["Verifying your OTP"], false), Form::Otp), None, "")]
#[case::reloaded(Form::Pin, PageSnapshot { arrived_by_itself: false, ..form(Form::Pin, "B", &[HELP], false) }, None, "")]
#[case::sent_again(Form::Otp, form(Form::Otp, "B", &[HELP, "A new OTP was sent to 98****0000"], false), None, "")]
#[case::emptied_by_hand(Form::Pin, PageSnapshot { entry: Some(entry(Form::Pin, false, false, false)), ..form(Form::Pin, "A", &[HELP], false) }, None, "")]
#[case::emptied_by_the_page(Form::Pin, PageSnapshot { entry: Some(entry(Form::Pin, true, false, false)), ..form(Form::Pin, "A", &[HELP], false) }, Some(FailureReason::PinRefused), "the page emptied its box, and nobody can tell whether it had submitted what stood there")]
#[case::an_error_page_of_the_browser(Form::Pin, PageSnapshot { document: "B".into(), unreachable: true, lines: vec!["login.upstox.com sent an invalid response".into()], ..unfamiliar() }, None, "")]
#[case::redirected_too_often(Form::Pin, PageSnapshot { document: "B".into(), unreachable: true, lines: vec!["redirected you too many times".into()], ..unfamiliar() }, None, "")]
#[case::a_filter_of_somebody_else(Form::Pin, PageSnapshot { document: "B".into(), foreign: true, lines: vec!["Your access is blocked".into()], ..unfamiliar() }, None, "")]
#[case::on_to_the_next(Form::Otp, form(Form::Pin, "B", &["Incorrect entries lock your account"], false), None, "")]
#[case::loading(Form::Pin, PageSnapshot { document: "B".into(), ..unfamiliar() }, None, "")]
fn a_form_that_comes_back_is_a_refusal(
    #[case] of: Form,
    #[case] after: PageSnapshot,
    #[case] expected: Option<FailureReason>,
    #[case] words: &str,
) {
    let mut script = Script::new();
    script.pressed(0);
    script.at(0, &form(of, "A", &[HELP], false));
    script.at(1, &form(of, "A", &[HELP], true));
    assert_eq!(reason(&script.at(2, &after)), None, "it may still move on");
    assert_eq!(reason(&script.at(3, &after)), None, "it may still move on");
    let end = script.at(4, &after);
    assert_eq!(reason(&end), expected, "{end:?}");
    if expected.is_some() {
        assert_eq!(detail(&end), Some(words));
    }
}

#[test]
fn whoever_types_again_has_seen_the_refusal() {
    let mut script = Script::new();
    script.pressed(0);
    script.at(0, &form(Form::Pin, "A", &[HELP], true));
    let again = form(Form::Pin, "B", &[HELP], true);
    assert_eq!(reason(&script.at(1, &again)), Some(FailureReason::PinRefused));

    let mut script = Script::new();
    script.pressed(0);
    script.at(0, &form(Form::Pin, "A", &[HELP], true));
    let again = PageSnapshot {
        retyped: Some(Form::Pin),
        ..form(Form::Pin, "A", &[HELP], true)
    };
    assert_eq!(reason(&script.at(1, &again)), Some(FailureReason::PinRefused));
}

#[test]
fn what_the_page_submits_by_itself_is_not_submitted_again() {
    let mut script = Script::new();
    script.pressed(0);
    script.at(0, &form(Form::Pin, "A", &[HELP], false));
    script.flow.second_factor_typed(PromptKind::Pin);
    let gone = PageSnapshot {
        pin_continue: Some(button(true)),
        ..sent(form(Form::Pin, "A", &[HELP], true), Form::Pin)
    };
    assert_eq!(script.at(1, &gone), Action::Wait);
    assert_eq!(script.at(9, &gone), Action::Wait);
}

/// The entry was pasted and submitted between two looks.
#[rstest]
#[case::by_itself(true, Some(FailureReason::PinRefused))]
#[case::reloaded(false, None)]
fn a_submit_that_no_look_saw_is_noted_by_the_page_before(
    #[case] arrived_by_itself: bool,
    #[case] expected: Option<FailureReason>,
) {
    let mut script = Script::new();
    script.pressed(0);
    script.at(0, &form(Form::Pin, "A", &[HELP], false));
    let after = PageSnapshot {
        came_after: Some(Form::Pin),
        arrived_by_itself,
        ..form(Form::Pin, "B", &[HELP, "Nope"], false)
    };
    script.at(1, &after);
    assert_eq!(reason(&script.at(3, &after)), expected);
}

#[rstest]
#[case::refused(&["Enter a registered number"], FailureReason::MobileRejected)]
#[case::in_silence(&[], FailureReason::MobileRejected)]
#[case::throttled(&["You have exceeded the maximum number of times you can generate an OTP."], FailureReason::Throttled)]
#[case::trouble(&["Service temporarily unavailable"], FailureReason::BrokerDown)]
fn the_mobile_number_that_comes_back_in_a_new_document(
    #[case] lines: &[&str],
    #[case] expected: FailureReason,
) {
    let mut script = Script::new();
    script.at(0, &form(Form::Mobile, "A", &[], false));
    script.at(1, &form(Form::Mobile, "A", &[], true));
    script.pressed(1);
    let after = form(Form::Mobile, "B", lines, false);
    script.at(2, &after);
    assert_eq!(reason(&script.at(4, &after)), Some(expected));
}

/// The page began anew before anybody pressed.
#[test]
fn a_mobile_number_that_was_not_submitted_is_typed_again() {
    let mut script = Script::new();
    script.at(0, &form(Form::Mobile, "A", &[], false));
    script.at(
        1,
        &PageSnapshot {
            get_otp: Some(button(false)),
            ..form(Form::Mobile, "A", &[], true)
        },
    );
    let anew = form(Form::Mobile, "B", &[], false);
    assert!(matches!(script.at(2, &anew), Action::FillMobile { .. }));
    assert_eq!(reason(&script.at(9, &anew)), None);
}

pub(super) fn with_a_window() -> Script {
    let start = Instant::now();
    let rules = Rules {
        window: true,
        ..rules()
    };
    Script {
        flow: Flow::new(rules, start),
        start,
    }
}

#[test]
fn in_a_window_the_human_may_correct_it_and_vega_submits_nothing_more() {
    let mut script = with_a_window();
    script.pressed(0);
    script.at(0, &form(Form::Otp, "A", &[HELP], true));
    let refused = form(Form::Otp, "B", &[HELP, "Wrong OTP"], false);
    script.at(1, &refused);
    let because = FailureReason::OtpRefused;
    assert_eq!(script.at(3, &refused), Action::Tell(Notice::Refused { because }));
    assert!(script.flow.hands_off());
    assert_eq!(script.flow.task(), Some(Notice::Refused { because }));
    assert_eq!(script.at(4, &refused), Action::Wait, "no prompt");
    // Corrected: what comes next is the human's as well.
    assert_eq!(
        script.at(9, &form(Form::Pin, "C", &[], false)),
        Action::Wait,
        "no prompt"
    );
    assert_eq!(
        reason(&script.at(400, &form(Form::Pin, "C", &[], false))),
        Some(FailureReason::PinTimeout)
    );
}

#[rstest]
#[case::deadline(None)]
#[case::window_closed(Some(Failure::new(FailureReason::BrowserGone, "no such window")))]
fn a_refusal_that_nobody_corrects_stays_one(#[case] end: Option<Failure>) {
    let mut script = with_a_window();
    script.pressed(0);
    script.at(0, &form(Form::Pin, "A", &[HELP], true));
    let refused = saying(
        form(Form::Pin, "A", &[HELP], false),
        Form::Pin,
        "Incorrect PIN. You have 4 attempts left.",
    );
    assert!(matches!(
        script.at(1, &refused),
        Action::Tell(Notice::Refused { .. })
    ));
    let failure = match end {
        Some(failure) => script.flow.gravest(failure),
        None => match script.at(301, &form(Form::Pin, "A", &[HELP], false)) {
            Action::Fail(failure) => failure,
            other => panic!("{other:?}"),
        },
    };
    assert_eq!(failure.reason, FailureReason::PinRefused);
    assert_eq!(failure.detail, "Incorrect PIN. You have 4 attempts left.");
}

#[rstest]
#[case::locked("Your account is locked.", FailureReason::AccountLocked)]
#[case::throttled("You have exceeded the maximum number of times", FailureReason::Throttled)]
fn what_no_human_can_correct_ends_also_in_a_window(#[case] words: &str, #[case] expected: FailureReason) {
    let mut script = with_a_window();
    script.at(0, &form(Form::Otp, "A", &[HELP], true));
    let step = script.at(1, &saying(form(Form::Otp, "A", &[HELP], true), Form::Otp, words));
    assert_eq!(reason(&step), Some(expected));
}

#[test]
fn a_redirect_that_is_not_ours_answers_what_was_submitted() {
    let mut script = Script::new();
    script.pressed(0);
    script.at(0, &form(Form::Pin, "A", &[HELP], true));
    let later = script.start + Duration::from_secs(1);
    script.flow.foreign_redirect(later);
    let anew = form(Form::Pin, "C", &[HELP], false);
    for second in 2..9 {
        assert_eq!(reason(&script.at(second, &anew)), None);
    }
}
