//! Decides what to do about what is on the screen. Pure: sightings and times in, moves out; each act at most once per
//! attempt, so that no OTP is asked for twice and no second factor is typed twice.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;
use vega_domain::broker_code;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::sign_in::{Notice, PromptKind, Screen};

use crate::sighting::{Alert, Button, Form, Sighting};
use crate::words::without_numbers;

/// "Get OTP" was pressed and nothing happened for so long: the human is told.
const OTP_SLOW: Duration = Duration::from_secs(10);
/// And for so long: Upstox is throttling without a word.
const OTP_SILENT_LIMIT: Duration = Duration::from_secs(45);
/// A page without anything known on it may be loading; after this the human is told.
const PAGE_UNKNOWN: Duration = Duration::from_secs(20);
/// The mobile screen stands so long without a press: it waits for something that is not Vega's to do.
const MOBILE_WAITS: Duration = Duration::from_secs(15);
/// A typed second factor waits so long for a button to press: it is not where Vega looks.
const SUBMIT_WAITS: Duration = Duration::from_secs(5);
/// The browser's own error page stands so long: the network is away, not the page in between two others.
const NETWORK_GONE: Duration = Duration::from_secs(3);
/// A page that is still loading may empty the box again. The number is no second factor.
const MOBILE_TRIES: u8 = 3;
/// A sign-in that goes to and fro between screens ends after so many human timeouts.
const SCREENS_PER_ATTEMPT: u32 = 3;

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Move {
    /// Nothing: the page or the human is working.
    Wait,
    /// Type the mobile number.
    FillMobile { selector: String },
    /// Ask for the permit, then press.
    PressGetOtp { selector: String },
    /// Put on record that the human pressed "Get OTP".
    NotePress,
    /// Offer the prompt for this second factor, if it is not open already.
    Offer(PromptKind),
    /// Press the button under a second factor that was typed from the prompt.
    Submit { selector: String },
    /// Tell the human.
    Tell(Notice),
    /// End the attempt.
    Fail(Failure),
}

/// How "Get OTP" stands in this attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Press {
    /// Nobody pressed.
    Open,
    /// Vega pressed; the page should move on.
    Made(Instant),
    /// The press is on record or the human made it: a further one is the human's.
    TheHumans,
}

/// The memory of one attempt.
#[derive(Debug)]
pub(crate) struct Flow {
    human_timeout: Duration,
    started: Instant,
    screen: Screen,
    screen_since: Instant,
    network_gone_since: Option<Instant>,
    mobile_tries: u8,
    press: Press,
    offered: Option<PromptKind>,
    /// Second factors that stand typed on the page: never typed again.
    typed: HashSet<PromptKind>,
    to_submit: Option<PromptKind>,
    submit_since: Option<Instant>,
    told: HashSet<Notice>,
    /// What this screen wants of the human, in the window.
    task: Option<Notice>,
}

impl Flow {
    pub(crate) fn new(human_timeout: Duration, now: Instant) -> Self {
        Self {
            human_timeout,
            started: now,
            screen: Screen::Unknown,
            screen_since: now,
            network_gone_since: None,
            mobile_tries: 0,
            press: Press::Open,
            offered: None,
            typed: HashSet::new(),
            to_submit: None,
            submit_since: None,
            told: HashSet::new(),
            task: None,
        }
    }

    /// The screen of the last sighting.
    pub(crate) fn screen(&self) -> Screen {
        self.screen
    }

    /// How long the human still has: at this screen, and in this attempt as a whole.
    pub(crate) fn time_left(&self, now: Instant) -> Duration {
        let at_screen = self.human_timeout.saturating_sub(now - self.screen_since);
        let in_attempt = (self.human_timeout * SCREENS_PER_ATTEMPT).saturating_sub(now - self.started);
        at_screen.min(in_attempt)
    }

    /// What the human has to do in the window now. It stands until the screen changes, also when it was told before.
    pub(crate) fn task(&self) -> Option<Notice> {
        self.task
    }

    /// Remembers that "Get OTP" was pressed.
    pub(crate) fn otp_pressed(&mut self, now: Instant) {
        self.press = Press::Made(now);
        self.task = None;
    }

    /// The press is on record, but the click did not work: the human presses.
    pub(crate) fn otp_click_failed(&mut self) -> Move {
        self.press = Press::TheHumans;
        self.tell_once(Notice::DoItInTheWindow)
    }

    /// Remembers that a second factor from the prompt was typed, well or not. It is never typed again.
    pub(crate) fn second_factor_typed(&mut self, kind: PromptKind) {
        self.typed.insert(kind);
        self.to_submit = Some(kind);
        self.submit_since = None;
    }

    /// The prompt closed and nothing was typed: it may be offered again.
    pub(crate) fn prompt_closed(&mut self) {
        self.offered = None;
    }

    /// Typing or clicking for the human did not work.
    pub(crate) fn could_not_act(&mut self) -> Move {
        self.to_submit = None;
        self.tell_once(Notice::DoItInTheWindow)
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

    /// What the page refuses in a look that decides nothing else.
    pub(crate) fn refusal(&self, seen: &Sighting) -> Option<Failure> {
        page_says(seen, self.screen, seen.screen())
    }

    /// What to do about a sighting.
    pub(crate) fn next(&mut self, seen: &Sighting, now: Instant) -> Move {
        let (before, screen) = (self.screen, seen.screen());
        self.see(screen, now);
        if let Some(failure) = page_says(seen, before, screen).or_else(|| self.network_gone(seen, now)) {
            return Move::Fail(failure);
        }
        if self.time_left(now).is_zero() {
            return Move::Fail(self.timeout(screen));
        }
        match screen {
            Screen::Mobile => self.on_mobile(seen, now),
            // An OTP is asked for and Vega did not press: the human did, in the window.
            Screen::Otp if self.press == Press::Open => {
                self.press = Press::TheHumans;
                Move::NotePress
            }
            Screen::Otp => self.on_second_factor(PromptKind::Otp, seen.otp_continue.as_ref(), now),
            Screen::Pin => self.on_second_factor(PromptKind::Pin, seen.pin_continue.as_ref(), now),
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
            self.offered = None;
            self.task = None;
        }
    }

    fn network_gone(&mut self, seen: &Sighting, now: Instant) -> Option<Failure> {
        if !seen.unreachable {
            self.network_gone_since = None;
            return None;
        }
        let since = *self.network_gone_since.get_or_insert(now);
        let words = "the browser shows its own error page instead of Upstox's";
        (now - since >= NETWORK_GONE).then(|| Failure::new(FailureReason::Network, words))
    }

    fn on_mobile(&mut self, seen: &Sighting, now: Instant) -> Move {
        match self.press {
            Press::Made(pressed) if pressed >= self.screen_since => {
                let waited = now - pressed;
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
            Press::Made(_) | Press::TheHumans => return self.tell_once(Notice::OtpPressedBefore),
            Press::Open => {}
        }
        if let (Some(field), Some(button)) = (&seen.mobile, &seen.get_otp) {
            if field.empty && self.mobile_tries < MOBILE_TRIES {
                self.mobile_tries += 1;
                return Move::FillMobile {
                    selector: field.selector.clone(),
                };
            }
            if field.matches && button.enabled {
                return Move::PressGetOtp {
                    selector: button.selector.clone(),
                };
            }
        }
        if now - self.screen_since >= MOBILE_WAITS {
            self.tell_once(Notice::MobileWaits)
        } else {
            Move::Wait
        }
    }

    fn on_second_factor(&mut self, kind: PromptKind, button: Option<&Button>, now: Instant) -> Move {
        if self.to_submit == Some(kind) {
            let since = *self.submit_since.get_or_insert(now);
            let Some(button) = button.filter(|button| button.enabled) else {
                return if now - since >= SUBMIT_WAITS {
                    self.could_not_act()
                } else {
                    Move::Wait
                };
            };
            self.to_submit = None;
            return Move::Submit {
                selector: button.selector.clone(),
            };
        }
        if self.typed.contains(&kind) || self.offered == Some(kind) {
            return Move::Wait;
        }
        self.offered = Some(kind);
        Move::Offer(kind)
    }

    fn tell_once(&mut self, notice: Notice) -> Move {
        if notice.task().is_some() {
            self.task = Some(notice);
        }
        if self.told.insert(notice) {
            Move::Tell(notice)
        } else {
            Move::Wait
        }
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
            format!("screen {screen}, limit {} s", self.human_timeout.as_secs()),
        )
    }
}

/// A refusal in the page's own words without what they may repeat of the typing, whoever typed. `before` is the screen of the last sighting.
fn page_says(seen: &Sighting, before: Screen, screen: Screen) -> Option<Failure> {
    if let Some(error) = &seen.error {
        // A code that is new is most likely about what the dialog was given: the app.
        let reason = broker_code::reason_of(&error.code).unwrap_or(FailureReason::ClientRejected);
        return Some(Failure::new(
            reason,
            without_numbers(&format!("{} {}", error.code, error.message)),
        ));
    }
    if let Some(words) = &seen.locked {
        return Some(Failure::new(FailureReason::AccountLocked, without_numbers(words)));
    }
    if seen.blocked && screen == Screen::Unknown {
        return Some(Failure::new(
            FailureReason::Blocked,
            "the page is Cloudflare's, not Upstox's",
        ));
    }
    seen.alerts.iter().find_map(|alert| {
        let reason = refusal(&alert.words, answered(alert, before, screen)?)?;
        Some(Failure::new(reason, without_numbers(&alert.words)))
    })
}

/// The screen that an alert answers, or nothing once the page has let the human past that screen.
fn answered(alert: &Alert, before: Screen, now: Screen) -> Option<Screen> {
    let came_on = alert.form.map_or(now, Form::screen);
    // A page may refuse and go back in the same breath: the words come on the earlier screen.
    let answers = if place(before) > place(came_on) {
        before
    } else {
        came_on
    };
    (place(now) <= place(answers)).then_some(answers)
}

/// How far along the way a screen is.
fn place(screen: Screen) -> u8 {
    match screen {
        Screen::Unknown => 0,
        Screen::Mobile | Screen::Challenge => 1,
        Screen::Otp => 2,
        Screen::Pin => 3,
        Screen::Consent => 4,
    }
}

fn refusal(words: &str, screen: Screen) -> Option<FailureReason> {
    let lower = words.to_lowercase();
    let says = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
    let wrong = says(&["invalid", "incorrect", "wrong", "does not match"]);
    let refused = wrong || says(&["attempt", "expired"]);
    let second_factor = matches!(screen, Screen::Otp | Screen::Pin);
    let locked = says(&["locked", "blocked"]);
    if locked && lower.contains("account") {
        // Before the others: it may go on with "after too many wrong attempts".
        Some(FailureReason::AccountLocked)
    } else if says(&["exceeded the maximum", "too many"]) && !(wrong && second_factor) {
        Some(FailureReason::Throttled)
    } else if locked {
        Some(FailureReason::AccountLocked)
    } else if screen == Screen::Mobile && says(&["mobile number"]) && refused {
        Some(FailureReason::MobileRejected)
    } else if screen == Screen::Otp && refused {
        Some(FailureReason::OtpRefused)
    } else if screen == Screen::Pin && refused && (lower.contains("pin") || !lower.contains("otp")) {
        Some(FailureReason::PinRefused)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
