//! Recognises what the page says explicitly: an error instead of a page, a locked account, an alert. Decides which
//! screen an alert answers; `verdict` decides what its text means.

use vega_domain::broker_code;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::sign_in::Screen;

use crate::page_snapshot::{Alert, Form, PageSnapshot};
use crate::redaction::without_numbers;
use crate::verdict::refusal;

/// The failure for an error or a lock that is shown instead of a usable page, in the page's own words, without what
/// they may repeat of the entry.
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

/// The failure for a refusal in an alert, whether Vega or the human typed. `before` is the screen of the last snapshot.
pub(super) fn alerts_say(alerts: &[Alert], before: Screen, screen: Screen) -> Option<Failure> {
    alerts.iter().find_map(|alert| {
        let reason = refusal(&alert.words, answered(alert, before, screen)?)?;
        Some(Failure::new(reason, without_numbers(&alert.words)))
    })
}

/// The screen that an alert answers; `None` if the page has already let the human past that screen.
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

/// The position of a screen in the order of a sign-in.
pub(super) fn place(screen: Screen) -> u8 {
    match screen {
        Screen::Unknown => 0,
        Screen::Mobile | Screen::Challenge => 1,
        Screen::Otp => 2,
        Screen::Pin => 3,
        Screen::Consent => 4,
    }
}
