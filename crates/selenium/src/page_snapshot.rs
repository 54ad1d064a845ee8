//! What one look at the page showed, and which screen that is.

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
    /// The button under it.
    pub otp_continue: Option<Button>,
    /// The box for the PIN, or the first of six.
    pub pin: Option<Field>,
    /// The button under it.
    pub pin_continue: Option<Button>,
    /// A box that only a human may tick, without an answer so far.
    pub challenge: bool,
    /// A button that allows the app.
    pub consent: bool,
    /// What the page said since the last look and still says, each once.
    pub alerts: Vec<Alert>,
    /// The heading that says the account is locked.
    pub locked: Option<String>,
    /// The dialog's error in place of a page.
    pub error: Option<PageError>,
    /// The page is in words of Cloudflare's that turn browsers away.
    pub blocked: bool,
    /// The browser's own error page.
    pub unreachable: bool,
    /// Which document this is: a reload is another one.
    pub document: String,
    /// The browser came here by a link, a form, a redirect or the page's own reload: nobody reloaded it or went back.
    pub arrived_by_itself: bool,
    /// This form was submitted before the one that stands here came.
    pub came_after: Option<Form>,
    /// Milliseconds since then.
    pub came_after_ms: u64,
    /// What became of what was typed into the form that stands here, or stood here last.
    pub entry: Option<Entry>,
    /// Somebody types again into the form that the page gave back since the last look.
    pub retyped: Option<Form>,
    /// The page works on something.
    pub busy: bool,
    /// What the page says, line by line, without its buttons.
    pub lines: Vec<String>,
    /// The frames that may hold a form, by their number.
    pub frames: Vec<u16>,
    /// What the server answered.
    pub answer: Answer,
    /// The page is not at Upstox: nothing on it is touched. Decided by `home`, not by the page.
    #[serde(skip)]
    pub foreign: bool,
}

/// What is known of an answer whatever it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// With its port; empty where there is none.
    pub host: String,
    /// Of its address.
    pub path: String,
    /// HTTP's; 0 where the browser does not tell it.
    pub status: u16,
    /// `text/html`.
    pub kind: String,
    /// Of the page.
    pub title: String,
    /// The first 300 characters of its text.
    pub text: String,
    /// All of it was loaded.
    pub complete: bool,
    /// Of the browser's own error page, such as `ERR_NAME_NOT_RESOLVED`; else empty.
    pub browsers_code: String,
    /// Nothing is on it, and nothing would put something there.
    pub bare: bool,
}

/// What became of an entry in one document.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the marks of an entry do not depend on each other"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// Of which form.
    pub form: Form,
    /// It was complete.
    pub full: bool,
    /// It was submitted, by whomever.
    pub sent: bool,
    /// That is a guess: the page called its server when it was complete, or somebody pressed a button that Vega does not
    /// know beside it.
    #[serde(default)]
    pub guessed: bool,
    /// The page gave the form back: it emptied it, or marked it as wrong.
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
    /// The words with it.
    pub message: String,
}

/// A toast or another alert. It may be gone by the time of the look, and the page may have gone on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Alert {
    /// The page's own words, the first 200 characters.
    pub words: String,
    /// The form that was on the page when they came, or the last one before it.
    pub form: Option<Form>,
}

/// The forms on which the page refuses what was typed.
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
    /// How far along the way it is.
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
    /// The form that was submitted before this one came, within an attempt that is so old. A note of an earlier attempt may
    /// still lie in the tab.
    pub(crate) fn came_after(&self, attempt: Duration) -> Option<Form> {
        self.came_after
            .filter(|_| u128::from(self.came_after_ms) <= attempt.as_millis())
    }

    /// The form of this screen, and whether nothing is typed into it.
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

    /// Which screen this is. A challenge counts only while it keeps the mobile screen closed or stands alone:
    /// a solved box stays on the page.
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
