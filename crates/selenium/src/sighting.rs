//! What one look at the page showed, and which screen that is.

use serde::Deserialize;
use vega_domain::sign_in::Screen;

/// One look at the page, as the script in `look.js` reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the marks of a page do not depend on each other"
)]
pub struct Sighting {
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
    /// The screen with this form.
    pub fn screen(self) -> Screen {
        match self {
            Self::Mobile => Screen::Mobile,
            Self::Otp => Screen::Otp,
            Self::Pin => Screen::Pin,
        }
    }
}

impl Sighting {
    /// Which screen this is. A challenge counts only while it keeps the mobile screen closed or stands alone:
    /// a solved box stays on the page.
    pub fn screen(&self) -> Screen {
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
