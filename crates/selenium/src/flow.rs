//! Decides the next action for what is on the screen. Pure: takes snapshots and times, returns actions. Each action is
//! taken at most once per attempt, so that no OTP is requested twice and no second factor is submitted twice.

mod action;
mod answers;
mod unsent;

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::sign_in::{Notice, PromptKind, Screen};

pub(crate) use self::action::Action;
use self::answers::{alerts_say, page_says, place};
use self::unsent::{EMPTIED_BY_THE_PAGE, Emptied, Unsent, nothing_done};
use crate::dialog_answer::{Home, browsers_own};
use crate::page_snapshot::{Alert, Form, PageSnapshot};
use crate::submission::Submission;
use crate::verdict;

/// After this time without an effect of "Get OTP" the human is told.
const OTP_SLOW: Duration = Duration::from_secs(10);
/// After this time without an effect of "Get OTP", Upstox is considered to throttle without a message.
const OTP_SILENT_LIMIT: Duration = Duration::from_secs(45);
/// A page without anything known on it may be loading; after this the human is told.
const PAGE_UNKNOWN: Duration = Duration::from_secs(20);
/// After this time on the mobile screen without a press, the page waits for something that Vega does not do.
const MOBILE_WAITS: Duration = Duration::from_secs(15);
/// After this time without a button to press for a typed second factor, the button is not where Vega looks.
const SUBMIT_WAITS: Duration = Duration::from_secs(5);
/// How often the human is asked again for an entry that the page emptied. A page that empties its box each time cannot
/// be used.
const ASKED_AGAIN: u8 = 2;
/// After this time with a full form that looks submitted and does not change, the page called its server for something
/// else.
const SENT_FOR_NOTHING: Duration = Duration::from_secs(8);
/// After this time the attempt ends if nobody can press in the window.
const NOBODY_TO_PRESS: Duration = Duration::from_secs(45);
/// After this time with the browser's own error page, the network is away; before, the error page may stand between two
/// others.
const NETWORK_GONE: Duration = Duration::from_secs(3);
/// How often the mobile number is typed. A page that is still loading may empty the box again, and the number is no
/// second factor.
const MOBILE_TRIES: u8 = 3;
/// A sign-in that goes to and fro between screens ends after this many human timeouts.
const SCREENS_PER_ATTEMPT: u32 = 3;

/// The state of "Get OTP" in this attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Press {
    /// Nobody has pressed yet.
    Open,
    /// Vega pressed; the page should move on.
    Made(Instant),
    /// The press is recorded or the human made it: only the human may press again.
    TheHumans,
}

/// The settings of an attempt.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Longest wait for the human at one screen.
    pub(crate) human_timeout: Duration,
    /// There is a window in which a human may correct an entry that was refused.
    pub(crate) window: bool,
    /// The hosts of Upstox's pages.
    pub(crate) home: Home,
}

/// The memory of one attempt.
#[derive(Debug)]
pub(crate) struct Flow {
    rules: Rules,
    started: Instant,
    screen: Screen,
    screen_since: Instant,
    network_gone_since: Option<Instant>,
    mobile_tries: u8,
    press: Press,
    offered: Option<PromptKind>,
    /// Second factors that were typed on the page: they are never typed again.
    typed: HashSet<PromptKind>,
    to_submit: Option<PromptKind>,
    submit_since: Option<Instant>,
    unsent: Unsent,
    /// How often the page emptied an entry and the human was asked for it again.
    asked_again: u8,
    told: HashSet<Notice>,
    /// What the human must do in the window on this screen.
    task: Option<Notice>,
    /// A screen of Upstox's was seen: later pages are not answers of the dialog any more.
    arrived: bool,
    /// The current document, and since when it is shown.
    document: (String, Instant),
    submission: Submission,
    /// Alerts of a look that led to no decision.
    unheard: Vec<Alert>,
    /// What the page refused, and the human may still correct in the window.
    refused: Option<(Failure, Screen)>,
    /// Why Vega no longer types or presses anything in this attempt.
    hands_off: Option<FailureReason>,
}

impl Flow {
    /// Whether the dialog led to a page of Upstox's.
    pub(crate) fn has_arrived(&self) -> bool {
        self.arrived
    }

    pub(crate) fn new(rules: Rules, now: Instant) -> Self {
        Self {
            rules,
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
            unsent: Unsent::default(),
            asked_again: 0,
            told: HashSet::new(),
            task: None,
            arrived: false,
            document: (String::new(), now),
            submission: Submission::default(),
            unheard: Vec::new(),
            refused: None,
            hands_off: None,
        }
    }

    /// The screen of the last snapshot.
    pub(crate) fn screen(&self) -> Screen {
        self.screen
    }

    /// How long the human still has for this screen, and within the attempt as a whole.
    pub(crate) fn time_left(&self, now: Instant) -> Duration {
        let at_screen = self.rules.human_timeout.saturating_sub(now - self.screen_since);
        let in_attempt = (self.rules.human_timeout * SCREENS_PER_ATTEMPT).saturating_sub(now - self.started);
        at_screen.min(in_attempt)
    }

    /// What the human must do in the window now. The task stays until the screen changes, also if the human was told
    /// before.
    pub(crate) fn task(&self) -> Option<Notice> {
        self.task
    }

    /// Remembers that "Get OTP" was pressed.
    pub(crate) fn otp_pressed(&mut self, now: Instant) {
        self.press = Press::Made(now);
        self.task = None;
        self.submission.made();
    }

    /// Remembers that Vega submitted a second factor.
    pub(crate) fn second_factor_submitted(&mut self) {
        self.submission.made();
    }

    /// The hosts of Upstox's pages.
    pub(crate) fn home(&self) -> &Home {
        &self.rules.home
    }

    /// Whether Vega no longer types or presses anything in this attempt.
    pub(crate) fn hands_off(&self) -> bool {
        self.hands_off.is_some()
    }

    /// What the page refused, and the human may still correct in the window.
    pub(crate) fn refused(&self) -> Option<&Failure> {
        self.refused.as_ref().map(|(failure, _)| failure)
    }

    /// The failure of the attempt: an earlier refusal of the page takes precedence over `failure`, however the attempt
    /// then ended.
    pub(crate) fn gravest(&mut self, failure: Failure) -> Failure {
        let only_the_end = matches!(
            failure.reason,
            FailureReason::BrowserGone | FailureReason::Network | FailureReason::RedirectTimeout
        );
        let is_locked = failure.reason == FailureReason::AccountLocked;
        match self.refused.take() {
            Some((refused, _)) if only_the_end => refused,
            // It stops the account, whatever came after it.
            Some((refused, Screen::Otp | Screen::Pin)) if !is_locked => refused,
            _ => failure,
        }
    }

    /// The press is recorded, but the click failed: the human presses.
    pub(crate) fn otp_click_failed(&mut self) -> Action {
        self.press = Press::TheHumans;
        self.tell_once(Notice::DoItInTheWindow)
    }

    /// Remembers that a second factor from the prompt was typed, successfully or not. It is never typed again.
    pub(crate) fn second_factor_typed(&mut self, kind: PromptKind) {
        self.typed.insert(kind);
        self.to_submit = Some(kind);
        self.submit_since = None;
        self.unsent.typed();
    }

    /// The prompt closed and nothing was typed: it may open again.
    pub(crate) fn prompt_closed(&mut self) {
        self.offered = None;
    }

    /// Typing or clicking for the human failed.
    pub(crate) fn could_not_act(&mut self) -> Action {
        self.to_submit = None;
        self.tell_once(Notice::DoItInTheWindow)
    }

    /// A redirect arrived that is not for this attempt. The human is told once; then Vega waits for the right redirect
    /// until the deadline.
    pub(crate) fn foreign_redirect(&mut self, now: Instant) -> Action {
        self.see(Screen::Unknown, now);
        self.submission.forget();
        if self.time_left(now).is_zero() {
            return Action::Fail(Failure::new(
                FailureReason::RedirectTimeout,
                "only a foreign redirect arrived",
            ));
        }
        self.tell_once(Notice::ForeignRedirect)
    }

    /// The page opened a dialog of the browser: its text is handled as any other alert.
    pub(crate) fn said(&mut self, words: &str) {
        let words = words.to_owned();
        self.unheard.push(Alert { words, form: None });
    }

    /// Keeps the alerts of a look that leads to no other decision, because each alert is reported only once. Returns
    /// whether they refuse anything.
    pub(crate) fn heard(&mut self, seen: &PageSnapshot) -> bool {
        self.unheard.extend(seen.alerts.iter().cloned());
        alerts_say(&seen.alerts, self.screen, seen.screen()).is_some()
    }

    /// The next action for a snapshot.
    pub(crate) fn next(&mut self, seen: &PageSnapshot, now: Instant) -> Action {
        let (before, screen) = (self.screen, seen.screen());
        self.see(screen, now);
        // A challenge may stand before the dialog, which then still has to answer.
        self.arrived |= match screen {
            Screen::Unknown => false,
            Screen::Challenge => seen.mobile.is_some(),
            _ => true,
        };
        if self.document.0 != seen.document {
            self.document = (seen.document.clone(), now);
        }
        let alerts: Vec<_> = self
            .unheard
            .drain(..)
            .chain(seen.alerts.iter().filter(|_| !seen.foreign).cloned())
            .collect();
        let judged = self.submission.judge(seen, self.started, now);
        if let Some(failure) = page_says(seen, screen).or_else(|| self.no_page(seen, now)) {
            return Action::Fail(failure);
        }
        if let Some(failure) = alerts_say(&alerts, before, screen).or(judged) {
            return self.refuse(failure, before, screen, now);
        }
        if self.time_left(now).is_zero() {
            return Action::Fail(self.timeout(seen, screen));
        }
        // An OTP is asked for and Vega did not press: the human did, in the window.
        if screen == Screen::Otp && self.press == Press::Open {
            self.press = Press::TheHumans;
            return Action::NotePress;
        }
        // A form came back after a submit: nothing on it is asked for before that is judged.
        if self.submission.is_awaited() {
            return Action::Wait;
        }
        match screen {
            Screen::Mobile => self.on_mobile(seen, now),
            Screen::Otp => self.on_second_factor(PromptKind::Otp, seen, now),
            Screen::Pin => self.on_second_factor(PromptKind::Pin, seen, now),
            Screen::Challenge => self.tell_once(Notice::Challenge),
            Screen::Consent => self.tell_once(Notice::Consent),
            Screen::Unknown if now - self.screen_since >= PAGE_UNKNOWN => self.tell_once(Notice::PageChanged),
            Screen::Unknown => Action::Wait,
        }
    }

    fn see(&mut self, screen: Screen, now: Instant) {
        // The page let the human past what it had refused.
        self.refused
            .take_if(|(_, refused)| place(screen) > place(*refused));
        if screen != self.screen {
            self.screen = screen;
            self.screen_since = now;
            self.to_submit = None;
            self.offered = None;
            self.task = None;
        }
    }

    /// The failure if no page of Upstox's is there: at once if the dialog has led to none yet, later only if the
    /// network stays away.
    fn no_page(&mut self, seen: &PageSnapshot, now: Instant) -> Option<Failure> {
        let stands = now - self.document.1;
        if !self.arrived {
            return self.rules.home.no_login_page(seen, stands);
        }
        if !seen.unreachable {
            self.network_gone_since = None;
            return None;
        }
        let since = *self.network_gone_since.get_or_insert(now);
        (now - since >= NETWORK_GONE).then(|| browsers_own(&seen.answer, "could not open Upstox's next page"))
    }

    /// Handles the refusal of an entry. Vega submits nothing more; a human may still correct the entry in the window.
    fn refuse(&mut self, failure: Failure, before: Screen, screen: Screen, now: Instant) -> Action {
        let may_be_corrected = matches!(
            failure.reason,
            FailureReason::OtpRefused
                | FailureReason::PinRefused
                | FailureReason::MobileRejected
                | FailureReason::BrokerDown
        );
        if !self.rules.window || !may_be_corrected || self.time_left(now).is_zero() {
            return Action::Fail(failure);
        }
        let because = failure.reason;
        let submitted = self.submission.form().map_or(Screen::Unknown, Form::screen);
        let refused_on = [before, screen, submitted]
            .into_iter()
            .max_by_key(|screen| place(*screen))
            .unwrap_or(screen);
        self.refused = Some((failure, refused_on));
        self.hands_off = Some(because);
        self.to_submit = None;
        self.submission.answered();
        self.tell_once(Notice::Refused { because })
    }

    fn on_mobile(&mut self, seen: &PageSnapshot, now: Instant) -> Action {
        if let Some(because) = self.hands_off {
            return self.tell_once(Notice::Refused { because });
        }
        match self.press {
            Press::Made(pressed) if pressed >= self.screen_since => {
                let waited = now - pressed;
                if waited >= OTP_SILENT_LIMIT {
                    let stayed = "the page stayed on the mobile number after Get OTP";
                    let words = match &*self.submission.words() {
                        "" => format!("{stayed}, without a word"),
                        said => format!("{stayed}: {said}"),
                    };
                    return Action::Fail(Failure::new(FailureReason::Throttled, words));
                }
                return if waited >= OTP_SLOW {
                    self.tell_once(Notice::OtpSlow)
                } else {
                    Action::Wait
                };
            }
            Press::Made(_) | Press::TheHumans => return self.tell_once(Notice::OtpPressedBefore),
            Press::Open => {}
        }
        if let (Some(field), Some(button)) = (&seen.mobile, &seen.get_otp) {
            if field.empty && self.mobile_tries < MOBILE_TRIES {
                self.mobile_tries += 1;
                return Action::FillMobile {
                    selector: field.selector.clone(),
                };
            }
            if field.matches && button.enabled {
                return Action::PressGetOtp {
                    selector: button.selector.clone(),
                };
            }
        }
        if now - self.screen_since >= MOBILE_WAITS {
            self.tell_once(Notice::MobileWaits)
        } else {
            Action::Wait
        }
    }

    fn on_second_factor(&mut self, kind: PromptKind, seen: &PageSnapshot, now: Instant) -> Action {
        if let Some(because) = self.hands_off {
            return self.tell_once(Notice::Refused { because });
        }
        let button = match kind {
            PromptKind::Otp => seen.otp_continue.as_ref(),
            PromptKind::Pin => seen.pin_continue.as_ref(),
        };
        // The page submits by itself what is complete, or the human was faster.
        if seen.entry.is_some_and(|entry| entry.sent) {
            self.to_submit = None;
        }
        // No press of Vega's where it may be the second one: it could be a second OTP or PIN.
        let unmoved = self.unsent.unmoved(seen, now);
        if !self.rules.window && unmoved >= NOBODY_TO_PRESS {
            return Action::Fail(nothing_done("the page does nothing with it"));
        }
        if self.rules.window && unmoved >= SENT_FOR_NOTHING {
            return self.tell_once(Notice::DoItInTheWindow);
        }
        match self.unsent.emptied(self.submission.is_unsent(), seen, now) {
            None => {}
            Some(Emptied::Part) if !self.typed.contains(&kind) => {}
            Some(Emptied::Part) if self.asked_again < ASKED_AGAIN => {
                self.asked_again += 1;
                self.typed.remove(&kind);
                self.to_submit = None;
                self.offered = None;
            }
            Some(Emptied::Part) => return self.could_not_act(),
            // A human who deletes digits leaves it less than full, so it was the page.
            Some(Emptied::Full) => {
                let failure = Failure::new(verdict::of_form(seen.screen()), EMPTIED_BY_THE_PAGE);
                return self.refuse(failure, seen.screen(), seen.screen(), now);
            }
        }
        if self.to_submit == Some(kind) {
            let since = *self.submit_since.get_or_insert(now);
            // While the page works on something, that may be what was typed.
            let Some(button) = button.filter(|button| button.enabled && !seen.busy) else {
                let waited = now - since;
                if !self.rules.window && waited >= NOBODY_TO_PRESS {
                    return Action::Fail(nothing_done("the page lets nobody submit it"));
                }
                return if waited >= SUBMIT_WAITS && self.rules.window {
                    self.could_not_act()
                } else {
                    Action::Wait
                };
            };
            self.to_submit = None;
            return Action::Submit {
                selector: button.selector.clone(),
            };
        }
        if self.typed.contains(&kind) || self.offered == Some(kind) {
            return Action::Wait;
        }
        self.offered = Some(kind);
        Action::Offer(kind)
    }

    fn tell_once(&mut self, notice: Notice) -> Action {
        if notice.task().is_some() {
            self.task = Some(notice);
        }
        if self.told.insert(notice) {
            Action::Tell(notice)
        } else {
            Action::Wait
        }
    }

    fn timeout(&mut self, seen: &PageSnapshot, screen: Screen) -> Failure {
        let refused = self.refused.take().map(|(failure, _)| failure);
        if let Some(failure) = refused.or_else(|| self.submission.stays_unanswered(seen)) {
            return failure;
        }
        let reason = match screen {
            Screen::Otp => FailureReason::OtpTimeout,
            Screen::Pin => FailureReason::PinTimeout,
            Screen::Challenge => FailureReason::Challenge,
            Screen::Mobile | Screen::Consent => FailureReason::RedirectTimeout,
            Screen::Unknown => FailureReason::PageChanged,
        };
        Failure::new(
            reason,
            format!("screen {screen}, limit {} s", self.rules.human_timeout.as_secs()),
        )
    }
}

#[cfg(test)]
mod tests;
