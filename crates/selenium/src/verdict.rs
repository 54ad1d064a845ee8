//! Decides what the page's text means for the entry that was submitted: refused, throttled, locked, or trouble of
//! Upstox's own. A text that Vega does not understand decides nothing; `submission` then decides by the form that the
//! page gives back.

use vega_domain::failure::FailureReason;
use vega_domain::sign_in::Screen;

const WRONG: &[&str] = &[
    "invalid",
    "incorrect",
    "wrong",
    "does not match",
    "doesn't match",
    "did not match",
    "not valid",
    "not correct",
    "mismatch",
];
const TROUBLE: &[&str] = &[
    "went wrong",
    "try again later",
    "try again after some time",
    "try after some time",
    "temporarily",
    "unavailable",
    "technical",
    "server error",
    "internal error",
    "unexpected error",
    "network error",
    "timed out",
    "timeout",
    "unable to process",
    "could not process",
    "couldn't process",
    "could not be processed",
    "maintenance",
    "not responding",
    "bad gateway",
    // What was typed was not looked at any more.
    "session expired",
    "session has expired",
    "session is expired",
    "session timed out",
];
/// Texts about the remaining tries, or about an entry that was used up: pages say that only in a refusal.
const USED_UP: &[&str] = &[
    "attempts left",
    "attempt left",
    "attempts remaining",
    "attempt remaining",
    "remaining attempt",
    "more attempt",
    "last attempt",
    "tries left",
    "try left",
    "tries remaining",
    "otp has expired",
    "otp expired",
    "otp is expired",
    "expired otp",
    "code has expired",
    "code expired",
    "code is expired",
    "expired code",
    "totp has expired",
    "pin has expired",
    "pin expired",
];
/// Things other than the login that may be locked or blocked.
const NOT_THE_LOGIN: &[&str] = &[
    "cookie",
    "pop-up",
    "popup",
    "pop up",
    "notification",
    "extension",
    "script",
];
const WORKING: &[&str] = &[
    "verifying",
    "please wait",
    "checking",
    "loading",
    "processing",
    "signing you in",
];

fn says(words: &str, needles: &[&str]) -> bool {
    needles.iter().any(|needle| words.contains(needle))
}

/// Whether one of these is in the text as a whole word: "consent" does not contain "sent", nor "unlocked" "locked".
fn has_word(words: &str, wanted: &[&str]) -> bool {
    words
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| wanted.contains(&word))
}

/// What a text refuses on a screen; `None` if nothing.
pub(crate) fn refusal(words: &str, screen: Screen) -> Option<FailureReason> {
    // "Something went wrong" says nothing of what was typed.
    let lower = words.to_lowercase().replace("went wrong", "");
    let wrong = says(&lower, WRONG);
    let refused = wrong || says(&lower, USED_UP);
    let second_factor = matches!(screen, Screen::Otp | Screen::Pin);
    // "2 attempts left before your account is locked" tells what comes, not what is.
    let is_a_warning = says(&lower, USED_UP) && lower.contains("before");
    let locked = has_word(&lower, &["locked", "blocked"]) && !says(&lower, NOT_THE_LOGIN) && !is_a_warning;
    let throttled = says(
        &lower,
        &[
            "exceeded the maximum",
            "too many",
            "limit reached",
            "limit exceeded",
        ],
    );
    if locked && lower.contains("account") {
        // Before the others: it may go on with "after too many wrong attempts".
        Some(FailureReason::AccountLocked)
    } else if throttled && !(wrong && second_factor) {
        Some(FailureReason::Throttled)
    } else if locked {
        Some(FailureReason::AccountLocked)
    } else if screen == Screen::Mobile {
        let unknown = refused
            || says(
                &lower,
                &["not registered", "not found", "does not exist", "no account"],
            );
        (unknown && says(&lower, &["mobile", "number"])).then_some(FailureReason::MobileRejected)
    } else if screen == Screen::Otp && refused {
        Some(FailureReason::OtpRefused)
    } else if screen == Screen::Pin && refused && (lower.contains("pin") || !lower.contains("otp")) {
        Some(FailureReason::PinRefused)
    } else {
        None
    }
}

/// The meaning of the lines that are new after a submit: the most serious one is used. Trouble is reported only if no
/// line refuses.
pub(crate) fn of_lines(lines: &[String], screen: Screen) -> Option<FailureReason> {
    // "Wrong number?" offers a way back.
    let no_question = |line: &&String| !line.trim_end().ends_with('?');
    let said: Vec<_> = lines
        .iter()
        .filter(no_question)
        .filter_map(|line| refusal(line, screen))
        .collect();
    let grave = [FailureReason::AccountLocked, FailureReason::Throttled];
    let trouble = || {
        let is_trouble = |line: &String| says(&line.to_lowercase(), TROUBLE);
        lines.iter().any(is_trouble).then_some(FailureReason::BrokerDown)
    };
    grave
        .into_iter()
        .find(|reason| said.contains(reason))
        .or_else(|| said.first().copied())
        .or_else(trouble)
}

/// Whether the page says that it is still busy.
pub(crate) fn says_that_it_works(lines: &[String]) -> bool {
    lines.iter().any(|line| says(&line.to_lowercase(), WORKING))
}

/// Whether the page says that another OTP was sent: then its box is empty for that reason. A page that asks for "the
/// code sent to" somebody says what it wants, not what happened.
pub(crate) fn says_that_an_otp_was_sent(lines: &[String]) -> bool {
    let sent = |line: &String| {
        let lower = line.to_lowercase();
        has_word(&lower, &["sent", "resent"])
            && has_word(
                &lower,
                &["otp", "totp", "code", "password", "sms", "message", "it"],
            )
            && !has_word(&lower, &["enter", "type", "check", "re", "retype", "reenter"])
            && !says(
                &lower,
                &[
                    "not sent",
                    "not be sent",
                    "n't be sent",
                    "n't sent",
                    "not been sent",
                ],
            )
            && !says(&lower, WRONG)
            && !says(&lower, USED_UP)
            && !says(&lower, TROUBLE)
    };
    lines.iter().any(sent)
}

/// Why Vega stopped the sign-in after the page gave back a form, whatever its text is.
pub(crate) fn of_form(screen: Screen) -> FailureReason {
    match screen {
        Screen::Otp => FailureReason::OtpRefused,
        Screen::Pin => FailureReason::PinRefused,
        _ => FailureReason::MobileRejected,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Screen::Pin, &["Incorrect PIN. 4 attempts left."], Some(FailureReason::PinRefused))]
    #[case(Screen::Pin, &["Need help?", "The PIN doesn't match"], Some(FailureReason::PinRefused))]
    #[case(Screen::Pin, &["Something went wrong. Please try again."], Some(FailureReason::BrokerDown))]
    #[case(Screen::Pin, &["Something went wrong.", "Incorrect PIN"], Some(FailureReason::PinRefused))]
    #[case(Screen::Otp, &["Invalid OTP", "Your account is locked"], Some(FailureReason::AccountLocked))]
    #[case(Screen::Otp, &["Too many requests"], Some(FailureReason::Throttled))]
    #[case(Screen::Otp, &["We are under maintenance"], Some(FailureReason::BrokerDown))]
    #[case(Screen::Mobile, &["This number is not registered with us"], Some(FailureReason::MobileRejected))]
    #[case(Screen::Mobile, &["Service temporarily unavailable"], Some(FailureReason::BrokerDown))]
    #[case(Screen::Pin, &["आपका पिन गलत है"], None)]
    #[case(Screen::Pin, &["Welcome back"], None)]
    #[case(Screen::Pin, &["3 attempts remaining"], Some(FailureReason::PinRefused))]
    #[case(Screen::Pin, &["3 attempts left before your account is locked"], Some(FailureReason::PinRefused))]
    #[case(Screen::Otp, &["Wrong number?"], None)]
    #[case(Screen::Otp, &["Resend OTP, try again in 28 seconds"], None)]
    #[case(Screen::Pin, &["You have 1 more attempt before we lock your account"], Some(FailureReason::PinRefused))]
    #[case(Screen::Otp, &["OTP has expired. Please request a new one."], Some(FailureReason::OtpRefused))]
    #[case(Screen::Otp, &["Code expired"], Some(FailureReason::OtpRefused))]
    #[case(Screen::Otp, &["OTP mismatch, 2 tries left"], Some(FailureReason::OtpRefused))]
    #[case(Screen::Pin, &["Attempting to sign you in"], None)]
    #[case(Screen::Pin, &["Sign-in attempt from a new device"], None)]
    #[case(Screen::Pin, &["Your password expires in 30 days"], None)]
    #[case(Screen::Pin, &["Your session has expired. Please log in again."], Some(FailureReason::BrokerDown))]
    #[case(Screen::Otp, &["Session timed out"], Some(FailureReason::BrokerDown))]
    #[case(Screen::Pin, &["Your account has been unlocked"], None)]
    #[case(Screen::Otp, &["Third-party cookies are blocked in this browser"], None)]
    #[case(Screen::Otp, &["A pop-up was blocked"], None)]
    #[case(Screen::Otp, &["You are blocked for 24 hours"], Some(FailureReason::AccountLocked))]
    #[case(Screen::Pin, &["PIN blocked"], Some(FailureReason::AccountLocked))]
    #[case(Screen::Pin, &["Account locked due to 5 incorrect attempts"], Some(FailureReason::AccountLocked))]
    #[case(Screen::Otp, &["OTP limit reached. Try after 10 minutes"], Some(FailureReason::Throttled))]
    #[case(Screen::Otp, &["You have exceeded the maximum number of OTP requests"], Some(FailureReason::Throttled))]
    #[case(Screen::Pin, &["Request could not be processed"], Some(FailureReason::BrokerDown))]
    #[case(Screen::Pin, &["HTTP 502 Bad Gateway"], Some(FailureReason::BrokerDown))]
    #[case(Screen::Pin, &["The OTP you entered is invalid"], None)]
    #[case(Screen::Mobile, &["Enter a valid mobile number"], None)]
    #[case(Screen::Mobile, &["Invalid mobile number"], Some(FailureReason::MobileRejected))]
    #[case(Screen::Mobile, &["No account found for this number"], Some(FailureReason::MobileRejected))]
    #[case(Screen::Pin, &[], None)]
    fn the_gravest_line_counts(
        #[case] screen: Screen,
        #[case] lines: &[&str],
        #[case] expected: Option<FailureReason>,
    ) {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(of_lines(&lines, screen), expected);
    }

    #[rstest]
    #[case("A new OTP was sent to 98****0000", true)]
    #[case("OTP resent successfully", true)]
    #[case("We've sent an OTP to your mobile", true)]
    #[case("We have sent a 6-digit code by SMS", true)]
    #[case("It was sent again", true)]
    #[case("By continuing you consent to our code of conduct", false)]
    #[case("The OTP presented is not accepted", false)]
    #[case("That's not it. Re-enter the code sent to 98****0000", false)]
    #[case("Please enter the OTP sent to 98****0000", false)]
    #[case("Check the code sent to your phone", false)]
    #[case("Incorrect OTP. A new one was sent", false)]
    #[case("OTP could not be sent", false)]
    #[case("The OTP we sent has 2 attempts left", false)]
    #[case("Your feedback was sent", false)]
    #[case("Essential code", false)]
    fn only_what_says_so_tells_of_another_otp(#[case] line: &str, #[case] expected: bool) {
        assert_eq!(says_that_an_otp_was_sent(&[line.to_owned()]), expected);
    }
}
