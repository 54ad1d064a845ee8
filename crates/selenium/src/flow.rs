//! Decides what to do about what is on the screen. Pure: sightings and times in, moves out; each act at most once per
//! attempt, so that no OTP is asked for twice and no second factor is typed twice.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;
use vega_domain::broker_code;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::sign_in::{Notice, PromptKind, Screen};

use crate::sighting::{Button, Sighting};

/// "Get OTP" was pressed and nothing happened for so long: the human is told.
const OTP_SLOW: Duration = Duration::from_secs(10);
/// And for so long: Upstox is throttling without a word.
const OTP_SILENT_LIMIT: Duration = Duration::from_secs(45);
/// A page without anything known on it may be loading; after this the human is told.
const PAGE_UNKNOWN: Duration = Duration::from_secs(20);

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Move {
    /// Nothing: the page or the human is working.
    Wait,
    /// Type the mobile number.
    FillMobile { selector: String },
    /// Ask for the permit, then press.
    PressGetOtp { selector: String },
    /// Offer the prompt for this second factor, if it is not open already.
    Offer(PromptKind),
    /// Press the button under a second factor that was typed from the prompt.
    Submit { selector: String },
    /// Tell the human.
    Tell(Notice),
    /// End the attempt.
    Fail(Failure),
}

/// The memory of one attempt.
#[derive(Debug)]
pub(crate) struct Flow {
    human_timeout: Duration,
    screen: Screen,
    screen_since: Instant,
    mobile_filled: bool,
    otp_pressed_at: Option<Instant>,
    offered: HashSet<PromptKind>,
    to_submit: Option<PromptKind>,
    told: Vec<Notice>,
}

impl Flow {
    pub(crate) fn new(human_timeout: Duration, now: Instant) -> Self {
        Self {
            human_timeout,
            screen: Screen::Unknown,
            screen_since: now,
            mobile_filled: false,
            otp_pressed_at: None,
            offered: HashSet::new(),
            to_submit: None,
            told: Vec::new(),
        }
    }

    /// The screen of the last sighting.
    pub(crate) fn screen(&self) -> Screen {
        self.screen
    }

    /// How long the human still has at this screen.
    pub(crate) fn time_left(&self, now: Instant) -> Duration {
        self.human_timeout.saturating_sub(now - self.screen_since)
    }

    /// Remembers that "Get OTP" was pressed.
    pub(crate) fn otp_pressed(&mut self, now: Instant) {
        self.otp_pressed_at = Some(now);
    }

    /// Remembers that a second factor from the prompt stands in its box.
    pub(crate) fn second_factor_filled(&mut self, kind: PromptKind) {
        self.to_submit = Some(kind);
    }

    /// A redirect that belongs to somebody else arrived. Told once, then waited for ours until the deadline.
    pub(crate) fn foreign_redirect(&mut self, now: Instant) -> Move {
        self.see(Screen::Unknown, now);
        if self.time_left(now).is_zero() {
            return Move::Fail(Failure::new(
                FailureReason::RedirectTimeout,
                "only a foreign redirect arrived",
            ));
        }
        self.tell_once(Notice::ForeignRedirect)
    }

    /// What to do about a sighting.
    pub(crate) fn next(&mut self, seen: &Sighting, now: Instant) -> Move {
        let screen = seen.screen();
        self.see(screen, now);
        if let Some(failure) = page_says(seen, screen) {
            return Move::Fail(failure);
        }
        if self.time_left(now).is_zero() {
            return Move::Fail(self.timeout(screen));
        }
        match screen {
            Screen::Mobile => self.on_mobile(seen, now),
            Screen::Otp => self.on_second_factor(PromptKind::Otp, seen.otp_continue.as_ref()),
            Screen::Pin => self.on_second_factor(PromptKind::Pin, seen.pin_continue.as_ref()),
            Screen::Challenge => self.tell_once(Notice::Challenge),
            Screen::Consent => self.tell_once(Notice::Consent),
            Screen::Unknown if now - self.screen_since >= PAGE_UNKNOWN => self.tell_once(Notice::PageChanged),
            Screen::Unknown => Move::Wait,
        }
    }

    fn see(&mut self, screen: Screen, now: Instant) {
        if screen != self.screen {
            self.screen = screen;
            self.screen_since = now;
            self.to_submit = None;
        }
    }

    fn on_mobile(&mut self, seen: &Sighting, now: Instant) -> Move {
        if let Some(pressed) = self.otp_pressed_at {
            let waited = now - pressed.max(self.screen_since);
            if pressed < self.screen_since {
                return self.tell_once(Notice::OtpPressedBefore);
            }
            if waited >= OTP_SILENT_LIMIT {
                let words = "the page stayed on the mobile number after Get OTP, without a word";
                return Move::Fail(Failure::new(FailureReason::Throttled, words));
            }
            return if waited >= OTP_SLOW {
                self.tell_once(Notice::OtpSlow)
            } else {
                Move::Wait
            };
        }
        let (Some(field), Some(button)) = (&seen.mobile, &seen.get_otp) else {
            return Move::Wait;
        };
        if field.empty && !self.mobile_filled {
            self.mobile_filled = true;
            return Move::FillMobile {
                selector: field.selector.clone(),
            };
        }
        if field.matches && button.enabled {
            return Move::PressGetOtp {
                selector: button.selector.clone(),
            };
        }
        Move::Wait
    }

    fn on_second_factor(&mut self, kind: PromptKind, button: Option<&Button>) -> Move {
        if self.to_submit == Some(kind) {
            if let Some(button) = button.filter(|button| button.enabled) {
                self.to_submit = None;
                return Move::Submit {
                    selector: button.selector.clone(),
                };
            }
            return Move::Wait;
        }
        if self.offered.insert(kind) {
            Move::Offer(kind)
        } else {
            Move::Wait
        }
    }

    fn tell_once(&mut self, notice: Notice) -> Move {
        if self.told.contains(&notice) {
            return Move::Wait;
        }
        self.told.push(notice.clone());
        Move::Tell(notice)
    }

    fn timeout(&self, screen: Screen) -> Failure {
        let reason = match screen {
            Screen::Otp => FailureReason::OtpTimeout,
            Screen::Pin => FailureReason::PinTimeout,
            Screen::Challenge => FailureReason::Challenge,
            Screen::Mobile | Screen::Consent => FailureReason::RedirectTimeout,
            Screen::Unknown => FailureReason::PageChanged,
        };
        Failure::new(
            reason,
            format!("screen {screen} for {} s", self.human_timeout.as_secs()),
        )
    }
}

/// A refusal in the page's own words, whoever typed.
fn page_says(seen: &Sighting, screen: Screen) -> Option<Failure> {
    if let Some(error) = &seen.error {
        // A code that is new is most likely about what the dialog was given: the app.
        let reason = broker_code::reason_of(&error.code).unwrap_or(FailureReason::ClientRejected);
        return Some(Failure::new(reason, format!("{} {}", error.code, error.message)));
    }
    if seen.blocked && screen == Screen::Unknown {
        return Some(Failure::new(
            FailureReason::Blocked,
            "the page is Cloudflare's, not Upstox's",
        ));
    }
    seen.alerts.iter().find_map(|words| {
        let lower = words.to_lowercase();
        let says = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
        let refused = || {
            says(&[
                "invalid",
                "incorrect",
                "wrong",
                "attempt",
                "expired",
                "does not match",
            ])
        };
        let reason = if says(&["exceeded the maximum", "too many"]) {
            FailureReason::Throttled
        } else if says(&["locked", "blocked"]) {
            FailureReason::AccountLocked
        } else if screen == Screen::Mobile && says(&["mobile number"]) && refused() {
            FailureReason::MobileRejected
        } else if screen == Screen::Otp && refused() {
            FailureReason::OtpRefused
        } else if screen == Screen::Pin && refused() && !lower.contains("otp") {
            FailureReason::PinRefused
        } else {
            return None;
        };
        Some(Failure::new(reason, words.clone()))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::sighting::{Field, MobileField, PageError};

    const HUMAN: Duration = Duration::from_mins(5);

    fn button(enabled: bool) -> Button {
        Button {
            selector: "#b".into(),
            enabled,
        }
    }

    fn mobile(empty: bool, enabled: bool) -> Sighting {
        let field = MobileField {
            selector: "#m".into(),
            empty,
            matches: !empty,
        };
        Sighting {
            mobile: Some(field),
            get_otp: Some(button(enabled)),
            ..Sighting::default()
        }
    }

    fn otp() -> Sighting {
        let field = Field {
            selector: "#o".into(),
            empty: true,
        };
        Sighting {
            otp: Some(field),
            otp_continue: Some(button(false)),
            ..Sighting::default()
        }
    }

    fn pin() -> Sighting {
        let field = Field {
            selector: "#p".into(),
            empty: true,
        };
        Sighting {
            pin: Some(field),
            pin_continue: Some(button(false)),
            ..Sighting::default()
        }
    }

    fn saying(sighting: Sighting, words: &str) -> Sighting {
        Sighting {
            alerts: vec![words.into()],
            ..sighting
        }
    }

    struct Script {
        flow: Flow,
        start: Instant,
    }

    impl Script {
        fn new() -> Self {
            let start = Instant::now();
            Self {
                flow: Flow::new(HUMAN, start),
                start,
            }
        }

        fn at(&mut self, seconds: u64, seen: &Sighting) -> Move {
            self.flow.next(seen, self.start + Duration::from_secs(seconds))
        }

        fn pressed(&mut self, seconds: u64) {
            self.flow.otp_pressed(self.start + Duration::from_secs(seconds));
        }
    }

    fn reason(step: &Move) -> Option<FailureReason> {
        match step {
            Move::Fail(failure) => Some(failure.reason),
            _ => None,
        }
    }

    #[test]
    fn the_usual_way_fills_presses_once_and_offers_each_prompt_once() {
        let mut script = Script::new();
        assert_eq!(script.at(0, &Sighting::default()), Move::Wait);
        assert_eq!(
            script.at(1, &mobile(true, false)),
            Move::FillMobile {
                selector: "#m".into()
            }
        );
        assert_eq!(
            script.at(2, &mobile(false, true)),
            Move::PressGetOtp {
                selector: "#b".into()
            }
        );
        script.pressed(2);
        assert_eq!(script.at(3, &mobile(false, true)), Move::Wait);
        assert_eq!(script.at(4, &otp()), Move::Offer(PromptKind::Otp));
        assert_eq!(script.at(5, &otp()), Move::Wait);
        assert_eq!(script.at(6, &pin()), Move::Offer(PromptKind::Pin));
        assert_eq!(script.at(7, &pin()), Move::Wait);
    }

    #[test]
    fn a_second_factor_from_the_prompt_is_submitted_once_when_the_button_opens() {
        let mut script = Script::new();
        script.at(0, &otp());
        script.flow.second_factor_filled(PromptKind::Otp);
        assert_eq!(script.at(1, &otp()), Move::Wait);
        let ready = Sighting {
            otp_continue: Some(button(true)),
            ..otp()
        };
        assert_eq!(
            script.at(2, &ready),
            Move::Submit {
                selector: "#b".into()
            }
        );
        assert_eq!(script.at(3, &ready), Move::Wait);
    }

    #[test]
    fn a_page_that_goes_back_to_the_mobile_number_is_left_to_the_human() {
        let mut script = Script::new();
        script.at(0, &mobile(true, false));
        script.at(1, &mobile(false, true));
        script.pressed(1);
        script.at(2, &otp());
        assert_eq!(
            script.at(3, &mobile(true, false)),
            Move::Tell(Notice::OtpPressedBefore)
        );
        assert_eq!(script.at(4, &mobile(false, true)), Move::Wait);
        assert_eq!(
            script.at(100, &mobile(false, true)),
            Move::Wait,
            "no throttling is read into it"
        );
    }

    #[test]
    fn silence_after_get_otp_is_told_at_ten_seconds_and_throttled_at_forty_five() {
        let mut script = Script::new();
        script.at(0, &mobile(true, false));
        script.at(1, &mobile(false, true));
        script.pressed(1);
        assert_eq!(script.at(10, &mobile(false, true)), Move::Wait);
        assert_eq!(script.at(11, &mobile(false, true)), Move::Tell(Notice::OtpSlow));
        assert_eq!(script.at(45, &mobile(false, true)), Move::Wait);
        assert_eq!(
            reason(&script.at(46, &mobile(false, true))),
            Some(FailureReason::Throttled)
        );
    }

    #[test]
    fn a_slow_page_that_moves_on_is_no_throttling() {
        let mut script = Script::new();
        script.at(0, &mobile(true, false));
        script.at(1, &mobile(false, true));
        script.pressed(1);
        script.at(30, &mobile(false, true));
        assert_eq!(script.at(31, &otp()), Move::Offer(PromptKind::Otp));
    }

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
    #[case(pin(), "Your account is locked.", Some(FailureReason::AccountLocked))]
    #[case(pin(), "Your OTP has been successfully verified.", None)]
    #[case(
        otp(),
        "Enter the 6-digit OTP received on 98****0000 (next request allowed after 120 s)",
        None
    )]
    #[case(mobile(false, true), "Welcome back", None)]
    fn the_pages_words_are_understood(
        #[case] sighting: Sighting,
        #[case] words: &str,
        #[case] expected: Option<FailureReason>,
    ) {
        let step = Script::new().at(1, &saying(sighting, words));
        assert_eq!(reason(&step), expected);
        if let Move::Fail(failure) = step {
            assert_eq!(failure.detail, words, "the page's own words are kept");
        }
    }

    #[rstest]
    #[case::otp(otp(), FailureReason::OtpTimeout)]
    #[case::pin(pin(), FailureReason::PinTimeout)]
    #[case::challenge(Sighting { challenge: true, ..Sighting::default() }, FailureReason::Challenge)]
    #[case::challenge_before_otp(Sighting { challenge: true, ..mobile(false, false) }, FailureReason::Challenge)]
    #[case::consent(Sighting { consent: true, ..Sighting::default() }, FailureReason::RedirectTimeout)]
    #[case::unknown(Sighting::default(), FailureReason::PageChanged)]
    fn nobody_at_the_desk_ends_at_the_human_timeout(
        #[case] sighting: Sighting,
        #[case] expected: FailureReason,
    ) {
        let mut script = Script::new();
        assert_eq!(reason(&script.at(1, &sighting)), None);
        assert_eq!(reason(&script.at(299, &sighting)), None);
        assert_eq!(reason(&script.at(301, &sighting)), Some(expected));
    }

    #[test]
    fn a_solved_challenge_is_not_taken_for_an_open_one() {
        let solved = Sighting {
            challenge: true,
            ..mobile(false, true)
        };
        assert_eq!(
            Script::new().at(1, &solved),
            Move::PressGetOtp {
                selector: "#b".into()
            }
        );
        let open = Sighting {
            challenge: true,
            ..mobile(false, false)
        };
        assert_eq!(Script::new().at(1, &open), Move::Tell(Notice::Challenge));
    }

    #[rstest]
    #[case("UDAPI100068", FailureReason::ClientRejected)]
    #[case("UDAPI100073", FailureReason::AppInactive)]
    fn the_json_error_page_ends_the_attempt_at_once(#[case] code: &str, #[case] expected: FailureReason) {
        let error = PageError {
            code: code.into(),
            message: "words".into(),
        };
        let seen = Sighting {
            error: Some(error),
            ..Sighting::default()
        };
        assert_eq!(reason(&Script::new().at(0, &seen)), Some(expected));
    }

    #[test]
    fn a_block_page_ends_the_attempt() {
        let seen = Sighting {
            blocked: true,
            ..Sighting::default()
        };
        assert_eq!(reason(&Script::new().at(0, &seen)), Some(FailureReason::Blocked));
    }

    #[test]
    fn a_foreign_redirect_is_told_once_and_waited_out() {
        let mut flow = Flow::new(HUMAN, Instant::now());
        let now = Instant::now();
        assert_eq!(flow.foreign_redirect(now), Move::Tell(Notice::ForeignRedirect));
        assert_eq!(flow.foreign_redirect(now), Move::Wait);
        let end = flow.foreign_redirect(now + HUMAN);
        assert_eq!(reason(&end), Some(FailureReason::RedirectTimeout));
    }
}
