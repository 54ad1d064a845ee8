//! Texts of the page and the screens on which they appear: refusals, throttling, locked accounts, block pages.

use rstest::rstest;

use super::*;

#[rstest]
#[case(
    mobile(false, true),
    "You have exceeded the maximum number of times you can generate an OTP. Kindly, try again after 10 mins.",
    Some(FailureReason::Throttled)
)]
#[case(
    mobile(false, true),
    "You have entered a invalid mobile number please enter the correct mobile number",
    Some(FailureReason::MobileRejected)
)]
#[case(
    otp(),
    "Incorrect OTP. You have 4 attempts left.",
    Some(FailureReason::OtpRefused)
)]
#[case(
    otp(),
    "Your session to validate otp has expired, please try again.",
    Some(FailureReason::OtpRefused)
)]
#[case(
    pin(),
    "Incorrect PIN. You have 4 attempts left.",
    Some(FailureReason::PinRefused)
)]
#[case(
    pin(),
    "Incorrect PIN. Try again, or sign in with an OTP.",
    Some(FailureReason::PinRefused)
)]
#[case(pin(), "Your account is locked.", Some(FailureReason::AccountLocked))]
#[case(
    pin(),
    "Your account is blocked after too many failed attempts. Reset your PIN to unblock it.",
    Some(FailureReason::AccountLocked)
)]
#[case(
    pin(),
    "Too many incorrect entries, try again later.",
    Some(FailureReason::PinRefused)
)]
#[case(
    otp(),
    "You have exceeded the maximum number of incorrect OTPs.",
    Some(FailureReason::OtpRefused)
)]
#[case(
    otp(),
    "You have exceeded the maximum number of times you can generate an OTP.",
    Some(FailureReason::Throttled)
)]
#[case(pin(), "Your OTP has been successfully verified.", None)]
#[case(
    otp(),
    "Enter the 6-digit OTP received on 98****0000 (next request allowed after 120 s)",
    None
)]
#[case(mobile(false, true), "Welcome back", None)]
fn the_pages_words_are_understood(
    #[case] snapshot: PageSnapshot,
    #[case] words: &str,
    #[case] expected: Option<FailureReason>,
) {
    let step = Script::new().at(1, &saying(snapshot, None, words));
    assert_eq!(reason(&step), expected);
    if let Action::Fail(failure) = step {
        assert_eq!(failure.detail, words, "the page's own words are kept");
    }
}

const THROTTLED: &str = "You have exceeded the maximum number of times you can generate an OTP.";
const WRONG: &str = "Invalid code. You have 4 attempts left.";

/// The page is first `before`; then it is `now`, with an alert that appeared on `form`.
#[rstest]
#[case::otp_refused_then_accepted(otp(), pin(), Form::Otp, WRONG, None)]
#[case::pin_refused_then_accepted(pin(), PageSnapshot { consent: true, ..PageSnapshot::default() }, Form::Pin, WRONG, None)]
#[case::throttled_then_let_in(mobile(false, true), otp(), Form::Mobile, THROTTLED, None)]
#[case::old_otp_words_on_the_pin_screen(
    otp(),
    pin(),
    Form::Pin,
    "Incorrect OTP or TOTP. You have 4 attempts left.",
    None
)]
#[case::throttled(
    mobile(false, false),
    mobile(false, false),
    Form::Mobile,
    THROTTLED,
    Some(FailureReason::Throttled)
)]
#[case::throttled_behind_the_challenge(
    mobile(false, true),
    PageSnapshot { challenge: true, ..mobile(false, false) },
    Form::Mobile,
    THROTTLED,
    Some(FailureReason::Throttled)
)]
#[case::otp_refused_and_form_gone(
    otp(),
    PageSnapshot::default(),
    Form::Otp,
    WRONG,
    Some(FailureReason::OtpRefused)
)]
#[case::pin_refused_and_form_gone(
    pin(),
    PageSnapshot::default(),
    Form::Pin,
    WRONG,
    Some(FailureReason::PinRefused)
)]
#[case::pin_refused_then_back(pin(), mobile(true, false), Form::Pin, WRONG, Some(FailureReason::PinRefused))]
#[case::back_and_refused_at_once(
    pin(),
    mobile(true, false),
    Form::Mobile,
    WRONG,
    Some(FailureReason::PinRefused)
)]
#[case::back_to_the_otp_and_refused_at_once(pin(), otp(), Form::Otp, WRONG, Some(FailureReason::PinRefused))]
#[case::refused_on_a_page_without_form(
    pin(),
    PageSnapshot::default(),
    None,
    WRONG,
    Some(FailureReason::PinRefused)
)]
#[case::no_form_ever(PageSnapshot::default(), PageSnapshot::default(), None, WRONG, None)]
#[case::locked_with_the_form_gone(
    pin(),
    PageSnapshot::default(),
    Form::Pin,
    "Your account is blocked after too many failed attempts.",
    Some(FailureReason::AccountLocked)
)]
fn words_count_for_the_screen_they_answer(
    #[case] before: PageSnapshot,
    #[case] now: PageSnapshot,
    #[case] form: impl Into<Option<Form>>,
    #[case] words: &str,
    #[case] expected: Option<FailureReason>,
) {
    let mut script = Script::new();
    script.at(0, &before);
    assert_eq!(reason(&script.at(1, &saying(now, form, words))), expected);
}

#[test]
fn a_throttled_press_ends_at_the_toast() {
    let mut script = Script::new();
    script.at(0, &mobile(true, false));
    script.at(1, &mobile(false, true));
    script.pressed(1);
    let toast = saying(mobile(false, false), Form::Mobile, THROTTLED);
    assert_eq!(reason(&script.at(2, &toast)), Some(FailureReason::Throttled));
}

#[rstest]
#[case::otp(otp())]
#[case::pin(pin())]
#[case::nothing_else(PageSnapshot::default())]
fn a_locked_screen_ends_the_attempt_whatever_it_asks_for(#[case] snapshot: PageSnapshot) {
    let words = "Your account is blocked";
    let locked = PageSnapshot {
        locked: Some(words.into()),
        ..snapshot
    };
    let mut script = Script::new();
    script.at(0, &pin());
    let expected = Failure::new(FailureReason::AccountLocked, words);
    assert_eq!(script.at(1, &locked), Action::Fail(expected));
}

#[rstest]
#[case("UDAPI100068", FailureReason::ClientRejected)]
#[case("UDAPI100073", FailureReason::AppInactive)]
fn the_json_error_page_ends_the_attempt_at_once(#[case] code: &str, #[case] expected: FailureReason) {
    let error = PageError {
        code: code.into(),
        message: "words".into(),
    };
    let seen = PageSnapshot {
        error: Some(error),
        ..PageSnapshot::default()
    };
    assert_eq!(reason(&Script::new().at(0, &seen)), Some(expected));
}

/// A failure is written to log, audit trail, database and reports.
#[rstest]
#[case::alert(
    saying(
        otp(),
        Form::Otp,
        "Incorrect OTP 482-913 for 9000000001. You have 4 attempts left."
    ),
    "Incorrect OTP [number] for [number]. You have 4 attempts left."
)]
#[case::locked(
    PageSnapshot { locked: Some("Account 9000000001 is locked".into()), ..pin() },
    "Account [number] is locked"
)]
#[case::error(
    PageSnapshot {
        error: Some(PageError { code: "UDAPI100068".into(), message: "Not 482913".into() }),
        ..PageSnapshot::default()
    },
    "UDAPI100068 Not [number]"
)]
fn what_was_typed_is_in_no_failure(#[case] seen: PageSnapshot, #[case] expected: &str) {
    let step = Script::new().at(1, &seen);
    let Action::Fail(failure) = step else {
        panic!("{step:?}")
    };
    assert_eq!(failure.detail, expected);
}

#[rstest]
#[case::at_the_start(PageSnapshot::default())]
#[case::in_place_of_the_redirect(pin())]
fn a_block_page_ends_the_attempt(#[case] before: PageSnapshot) {
    let seen = PageSnapshot {
        blocked: true,
        ..PageSnapshot::default()
    };
    let mut script = Script::new();
    script.at(0, &before);
    assert_eq!(reason(&script.at(1, &seen)), Some(FailureReason::Blocked));
}

#[test]
fn words_of_a_block_beside_a_form_are_no_block() {
    let seen = PageSnapshot {
        blocked: true,
        ..pin()
    };
    assert_eq!(Script::new().at(0, &seen), Action::Offer(PromptKind::Pin));
}
