//! The page object: where each element is, how to look at the page, how to act on it. All selectors live here.
//! Source: ids seen in public scripts from 2023 to 2026; Upstox does not promise them, hence the fallbacks.

use std::time::Duration;

use fantoccini::elements::{Element, ElementRef};
use fantoccini::{Client, Locator, error::CmdError};
use serde_json::json;
use vega_domain::ids::MobileNumber;
use vega_domain::secret::SecondFactor;

use crate::examination::Examination;
use crate::page_snapshot::PageSnapshot;

const LOOK: &str = concat!(
    include_str!("page/find.js"),
    include_str!("page/listen.js"),
    include_str!("page/challenge.js"),
    include_str!("page/look.js")
);
const WAIT: &str = include_str!("page/wait.js");
const FIND: &str = include_str!("page/element.js");
const EXAMINE: &str = include_str!("evidence.js");
/// WebDriver's name for the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

const MOBILE: &[&str] = &[
    "#mobileNum",
    "input[type=tel][maxlength='10']",
    "input[autocomplete=tel]",
];
const GET_OTP: &[&str] = &["#getOtp", "button[data-testid=getOtp]"];
const OTP: &[&str] = &[
    "#otpNum",
    "input[autocomplete=one-time-code]",
    "input[placeholder^='Enter OTP']",
];
const OTP_CONTINUE: &[&str] = &[
    "#continueBtn",
    "form:has(input[autocomplete=one-time-code], input[placeholder^='Enter OTP']) button[type=submit]",
];
// The last one is the first of six boxes: the page moves on from box to box while it is typed into.
const PIN: &[&str] = &[
    "#pinCode",
    "input[type=password][maxlength='6']",
    "input[type=password][maxlength='1']",
];
const PIN_CONTINUE: &[&str] = &[
    "#pinContinueBtn",
    "form:has(input[type=password]) button[type=submit]",
];
/// Challenges for a human, of Cloudflare, Google, hCaptcha and others. Each is recognised by the address from which its
/// maker serves it, or by the element in which the maker has it set up. Challenges that work invisibly ask nobody and
/// are not listed.
const CHALLENGE: &[&str] = &[
    "iframe[src^='https://challenges.cloudflare.com/']",
    ".cf-turnstile",
    "#challenge-form",
    "iframe[src*='/recaptcha/api2/']:not([src*='size=invisible'])",
    "iframe[src*='/recaptcha/enterprise/']:not([src*='size=invisible'])",
    ".g-recaptcha:not([data-size=invisible])",
    "iframe[src*='.hcaptcha.com/captcha/']:not([src*='invisible'])",
    ".h-captcha:not([data-size=invisible])",
    "iframe[src*='.captcha-delivery.com/']",
    "iframe[src*='.arkoselabs.com/']",
    "iframe[src*='.funcaptcha.com/']",
    "iframe[src*='/_Incapsula_Resource']",
    "#px-captcha",
    "#sec-if-cpt-container",
    "awswaf-captcha",
    ".geetest_captcha",
    "iframe[title*='captcha' i]:not([src*='invisible'])",
];
/// Signs of a page that precedes all others until its scripts have examined the browser; nothing of it need be visible.
/// Cloudflare's parts of ordinary pages lie in its own `scripts` folder and do not match.
const PASSAGE: &[&str] = &[
    "form[action*='__cf_chl_']",
    "form[action*='/cdn-cgi/challenge-platform/']",
    "script[src*='/cdn-cgi/challenge-platform/']:not([src*='/scripts/'])",
    "#challenge-running",
    "#challenge-stage",
    "body > #challenge-container",
    "script[src*='.captcha-delivery.com/']",
];
const ALERT: &[&str] = &["[role=alert]", ".toast"];

/// Upstox's login page in a browser.
#[derive(Debug, Clone, Copy)]
pub struct LoginPage<'a> {
    browser: &'a Client,
}

impl<'a> LoginPage<'a> {
    /// The page that `browser` shows.
    pub fn new(browser: &'a Client) -> Self {
        Self { browser }
    }

    /// Looks once. Nothing on the page changes, but from the first look on an observer listens for alerts. Each look
    /// takes the alerts that the observer heard, so an alert that is gone is reported once.
    pub async fn look(&self, mobile: &MobileNumber) -> Result<PageSnapshot, CmdError> {
        let selectors = json!({
            "mobile": MOBILE, "get_otp": GET_OTP, "otp": OTP, "otp_continue": OTP_CONTINUE,
            "pin": PIN, "pin_continue": PIN_CONTINUE, "challenge": CHALLENGE, "passage": PASSAGE,
            "alert": ALERT,
        });
        let seen = self
            .browser
            .execute(LOOK, vec![selectors, json!(mobile.digits())])
            .await?;
        Ok(serde_json::from_value(seen)?)
    }

    /// Waits until the page changes after the last look, for `most` at most. Fails where the page goes away meanwhile.
    pub async fn change(&self, most: Duration) -> Result<(), CmdError> {
        let most = json!(u64::try_from(most.as_millis()).unwrap_or(u64::MAX));
        self.browser.execute(WAIT, vec![most]).await.map(drop)
    }

    /// Examines the page for the evidence of a failed sign-in. Nothing on it changes, but from the first examination on
    /// the page notes whether anybody types.
    pub(crate) async fn examine(&self, mobile: &MobileNumber) -> Result<Examination, CmdError> {
        let selectors = json!({ "otp": OTP, "pin": PIN, "challenge": CHALLENGE });
        let found = self
            .browser
            .execute(EXAMINE, vec![selectors, json!(mobile.digits())])
            .await?;
        Ok(serde_json::from_value(found)?)
    }

    /// Types the mobile number into an empty box.
    pub async fn fill_mobile(&self, selector: &str, mobile: &MobileNumber) -> Result<(), CmdError> {
        self.find(selector).await?.send_keys(mobile.digits()).await
    }

    /// Types a second factor that the operator gave for this screen only.
    pub async fn fill_second_factor(&self, selector: &str, given: &SecondFactor) -> Result<(), CmdError> {
        self.find(selector).await?.send_keys(given.expose()).await
    }

    /// Presses a button.
    pub async fn press(&self, selector: &str) -> Result<(), CmdError> {
        self.find(selector).await?.click().await
    }

    /// The first matching element that is shown, in the document or in an open shadow tree; if there is none, the
    /// element that the driver finds.
    async fn find(&self, selector: &str) -> Result<Element, CmdError> {
        let found = self.browser.execute(FIND, vec![json!(selector)]).await?;
        match found.get(ELEMENT).and_then(serde_json::Value::as_str) {
            Some(id) => Ok(Element::from_element_id(
                self.browser.clone(),
                ElementRef::from(id.to_owned()),
            )),
            None => self.browser.find(Locator::Css(selector)).await,
        }
    }
}
