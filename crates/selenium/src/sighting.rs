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
    pub(crate) mobile: Option<MobileField>,
    pub(crate) get_otp: Option<Button>,
    pub(crate) otp: Option<Field>,
    pub(crate) otp_continue: Option<Button>,
    pub(crate) pin: Option<Field>,
    pub(crate) pin_continue: Option<Button>,
    pub(crate) challenge: bool,
    pub(crate) consent: bool,
    pub(crate) alerts: Vec<String>,
    pub(crate) error: Option<PageError>,
    pub(crate) blocked: bool,
    pub(crate) unreachable: bool,
}

/// The box for the mobile number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct MobileField {
    pub(crate) selector: String,
    pub(crate) empty: bool,
    pub(crate) matches: bool,
}

/// A box for a second factor. Its content is never read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Field {
    pub(crate) selector: String,
    pub(crate) empty: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Button {
    pub(crate) selector: String,
    pub(crate) enabled: bool,
}

/// The JSON error that Upstox shows instead of a redirect.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct PageError {
    pub(crate) code: String,
    pub(crate) message: String,
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
