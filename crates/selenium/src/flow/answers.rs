//! What the page says in so many words: an error in place of a page, a locked account, an alert. Which screen an alert answers
//! is decided here; what its words mean, in `verdict`.

use vega_domain::broker_code;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::sign_in::Screen;

use crate::page_snapshot::{Alert, Form, PageSnapshot};
use crate::redaction::without_numbers;
use crate::verdict::refusal;

/// What stands in place of a page that could be gone on with, in its own words without what they may repeat of the typing.
pub(super) fn page_says(seen: &PageSnapshot, screen: Screen) -> Option<Failure> {
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
    (seen.blocked && screen == Screen::Unknown)
        .then(|| Failure::new(FailureReason::Blocked, "the page is Cloudflare's, not Upstox's"))
}

/// A refusal in an alert, whoever typed. `before` is the screen of the last snapshot.
pub(super) fn alerts_say(alerts: &[Alert], before: Screen, screen: Screen) -> Option<Failure> {
    alerts.iter().find_map(|alert| {
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
pub(super) fn place(screen: Screen) -> u8 {
    match screen {
        Screen::Unknown => 0,
        Screen::Mobile | Screen::Challenge => 1,
        Screen::Otp => 2,
        Screen::Pin => 3,
        Screen::Consent => 4,
    }
}
