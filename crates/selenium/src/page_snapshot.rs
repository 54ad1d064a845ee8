//! The result of one look at the page, and which screen it shows.

use std::time::Duration;

use serde::Deserialize;
use vega_domain::sign_in::Screen;

/// One look at the page, as the script in `look.js` reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the marks of a page do not depend on each other"
)]
pub struct PageSnapshot {
    /// The box for the mobile number.
    pub mobile: Option<MobileField>,
    /// "Get OTP".
    pub get_otp: Option<Button>,
    /// The box for the OTP or TOTP.
    pub otp: Option<Field>,
    /// The button under the box for the OTP.
    pub otp_continue: Option<Button>,
    /// The box for the PIN, or the first of six.
    pub pin: Option<Field>,
    /// The button under the box for the PIN.
    pub pin_continue: Option<Button>,
    /// A challenge that only a human may solve, not solved so far.
    pub challenge: bool,
    /// A button that allows the app.
    pub consent: bool,
    /// Alerts that appeared since the last look or are still shown, each once.
    pub alerts: Vec<Alert>,
    /// The heading that says the account is locked.
    pub locked: Option<String>,
    /// The error that the dialog shows instead of a page.
    pub error: Option<PageError>,
    /// The page has the text with which Cloudflare turns browsers away.
    pub blocked: bool,
    /// The browser's own error page.
    pub unreachable: bool,
    /// The identity of this document: a reload gives another one.
    pub document: String,
    /// The browser came here by a link, a form, a redirect or the page's own reload: nobody reloaded the page or went
    /// back.
    pub arrived_by_itself: bool,
    /// The form that was submitted before the present form appeared.
    pub came_after: Option<Form>,
    /// Milliseconds since that submit.
    pub came_after_ms: u64,
    /// The state of the entry in the form that is shown, or was shown last.
    pub entry: Option<Entry>,
    /// The form that the page gave back, and into which somebody has typed again since the last look.
    pub retyped: Option<Form>,
    /// The page shows that it is busy.
    pub busy: bool,
    /// The text of the page, line by line, without its buttons.
    pub lines: Vec<String>,
    /// The numbers of the frames that may hold a form.
    pub frames: Vec<u16>,
    /// What the server answered.
    pub answer: Answer,
    /// The page is not at Upstox, so nothing on it is touched. Decided by `home`, not by the page.
    #[serde(skip)]
    pub foreign: bool,
}

/// Facts about an answer of any kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// The host with its port; empty where there is none.
    pub host: String,
    /// The path of its address.
    pub path: String,
    /// The HTTP status; 0 where the browser does not report it.
    pub status: u16,
    /// The content type, such as `text/html`.
    pub kind: String,
    /// The title of the page.
    pub title: String,
    /// The first 300 characters of the page's text.
    pub text: String,
    /// The page has finished loading.
    pub complete: bool,
    /// The code of the browser's own error page, such as `ERR_NAME_NOT_RESOLVED`; otherwise empty.
    pub browsers_code: String,
    /// The page is empty, and nothing on it would add content.
    pub bare: bool,
}

/// The state of an entry in one document.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the marks of an entry do not depend on each other"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// The form of the entry.
    pub form: Form,
    /// The entry was complete.
    pub full: bool,
    /// The entry was submitted, by anybody.
    pub sent: bool,
    /// The submit is a guess: the page called its server when the entry was complete, or somebody pressed a button
    /// beside it that Vega does not know.
    #[serde(default)]
    pub guessed: bool,
    /// The page gave the form back: it emptied the form, or marked it as wrong.
    pub back: bool,
}

/// The box for the mobile number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MobileField {
    /// Where it is.
    pub selector: String,
    /// Nothing was typed.
    pub empty: bool,
    /// It holds the account's number.
    pub matches: bool,
}

/// A box for a second factor. Its content is never read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Field {
    /// Where it is.
    pub selector: String,
    /// Nothing was typed.
    pub empty: bool,
}

/// A button of the page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Button {
    /// Where it is.
    pub selector: String,
    /// It can be pressed.
    pub enabled: bool,
}

/// The JSON error that Upstox shows instead of a redirect.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PageError {
    /// `UDAPI…`.
    pub code: String,
    /// The message with the code.
    pub message: String,
}

/// A toast or another alert. It may be gone by the time of the look, and the page may have gone on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Alert {
    /// The page's own text, the first 200 characters.
    pub words: String,
    /// The form that was on the page when the alert appeared, or the last one before.
    pub form: Option<Form>,
}

/// The forms on which the page can refuse an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Mobile number.
    Mobile,
    /// OTP or TOTP.
    Otp,
    /// PIN.
    Pin,
}

impl Form {
    /// The position of the form in the order of a sign-in.
    pub(crate) fn place(self) -> u8 {
        match self {
            Self::Mobile => 1,
            Self::Otp => 2,
            Self::Pin => 3,
        }
    }

    /// The screen with this form.
    pub fn screen(self) -> Screen {
        match self {
            Self::Mobile => Screen::Mobile,
            Self::Otp => Screen::Otp,
            Self::Pin => Screen::Pin,
        }
    }
}

impl PageSnapshot {
    /// The form that was submitted before this one appeared, in an attempt of this age. The age matters because a note
    /// of an earlier attempt may still be in the tab.
    pub(crate) fn came_after(&self, attempt: Duration) -> Option<Form> {
        self.came_after
            .filter(|_| u128::from(self.came_after_ms) <= attempt.as_millis())
    }

    /// The form of this screen, and whether it is empty.
    pub(crate) fn form(&self) -> Option<(Form, bool)> {
        let empty = |field: &Option<Field>| field.as_ref().is_none_or(|field| field.empty);
        match self.screen() {
            Screen::Mobile => {
                let empty = self.mobile.as_ref().is_none_or(|field| field.empty);
                Some((Form::Mobile, empty))
            }
            Screen::Otp => Some((Form::Otp, empty(&self.otp))),
            Screen::Pin => Some((Form::Pin, empty(&self.pin))),
            Screen::Challenge | Screen::Consent | Screen::Unknown => None,
        }
    }

    /// Which screen this is. A challenge is a screen only while it keeps the mobile screen closed or is shown alone: a
    /// solved challenge stays on the page.
    pub fn screen(&self) -> Screen {
        if self.foreign {
            return Screen::Unknown;
        }
        let mobile_is_open = self.get_otp.as_ref().is_some_and(|button| button.enabled);
        if self.pin.is_some() {
            Screen::Pin
        } else if self.otp.is_some() {
            Screen::Otp
        } else if let Some(field) = &self.mobile {
            if self.challenge && field.matches && !mobile_is_open {
                Screen::Challenge
            } else {
                Screen::Mobile
            }
        } else if self.challenge {
            Screen::Challenge
        } else if self.consent {
            Screen::Consent
        } else {
            Screen::Unknown
        }
    }
}
