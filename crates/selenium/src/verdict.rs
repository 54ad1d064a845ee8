//! Decides what the page's words mean for what was submitted: refused, throttled, locked, or trouble of Upstox's own.
//! Words that mean nothing to Vega decide nothing; what then follows from the page giving its form back is decided in
//! `submission`.

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

/// What `words` refuse on a screen, if anything.
pub(crate) fn refusal(words: &str, screen: Screen) -> Option<FailureReason> {
    // "Something went wrong" says nothing of what was typed.
    let lower = words.to_lowercase().replace("went wrong", "");
    let wrong = says(&lower, WRONG);
    let refused = wrong || says(&lower, &["attempt", "expired"]);
    let second_factor = matches!(screen, Screen::Otp | Screen::Pin);
    let locked = says(&lower, &["locked", "blocked"]);
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

/// What lines that are new after a submit say together: the gravest counts. Trouble is told only where no line refuses.
pub(crate) fn of_lines(lines: &[String], screen: Screen) -> Option<FailureReason> {
    let said: Vec<_> = lines.iter().filter_map(|line| refusal(line, screen)).collect();
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

/// Whether the page says that it is still at work.
pub(crate) fn says_that_it_works(lines: &[String]) -> bool {
    lines.iter().any(|line| says(&line.to_lowercase(), WORKING))
}

/// Whether the page says that another OTP was sent: then its box is empty for that.
pub(crate) fn says_that_an_otp_was_sent(lines: &[String]) -> bool {
    let sent = |line: &String| {
        let lower = line.to_lowercase();
        says(&lower, &["sent", "resent"]) && !says(&lower, WRONG) && !says(&lower, TROUBLE)
    };
    lines.iter().any(sent)
}

/// Why Vega stopped the sign-in where the page gave back a form, whatever its words.
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
    #[case(Screen::Pin, &[], None)]
    fn the_gravest_line_counts(
        #[case] screen: Screen,
        #[case] lines: &[&str],
        #[case] expected: Option<FailureReason>,
    ) {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(of_lines(&lines, screen), expected);
    }
}
