//! Which screen a document is taken for, and what is found on it.

use anyhow::{Result, ensure};
use vega_domain::ids::MobileNumber;
use vega_domain::secret::SecondFactor;
use vega_domain::sign_in::{PromptKind, Screen};
use vega_selenium::PageSnapshot;

use crate::browser::{Browser, MOBILE};
use crate::documents::{OTP, PIN, TURNSTILE, TURNSTILE_IFRAME, TURNSTILE_SOLVED, mobile, one_of_three};

/// What a document is, the document, its screen, and in short what else is seen: see `summary`.
type Row = (&'static str, String, Screen, &'static str);

const CHECKBOX: &str = "<p><label><input type=checkbox> Verify you are human</label>";

fn forms() -> Vec<Row> {
    vec![
        ("mobile", mobile("", "disabled", ""), Screen::Mobile, "mobile=#mobileNum empty, get_otp=#getOtp shut"),
        ("number typed", mobile(MOBILE, "", ""), Screen::Mobile, "mobile=#mobileNum matches, get_otp=#getOtp open"),
        ("number with spaces", mobile("98765 00001", "", ""), Screen::Mobile, "mobile=#mobileNum matches, get_otp=#getOtp open"),
        ("another number", mobile("9876500002", "", ""), Screen::Mobile, "mobile=#mobileNum, get_otp=#getOtp open"),
        ("otp", OTP.into(), Screen::Otp, "otp=#otpNum empty, otp_continue=#continueBtn shut"),
        ("pin", PIN.into(), Screen::Pin, "pin=#pinCode empty, pin_continue=#pinContinueBtn shut"),
        ("pin typed", PIN.replace("maxlength", "value=1 maxlength"), Screen::Pin, "pin=#pinCode, pin_continue=#pinContinueBtn shut"),
        ("first of three", one_of_three(0), Screen::Mobile, "mobile=#mobileNum empty, get_otp=#getOtp shut"),
        ("second of three", one_of_three(1), Screen::Otp, "otp=#otpNum empty, otp_continue=#continueBtn shut"),
        ("third of three", one_of_three(2), Screen::Pin, "pin=#pinCode empty, pin_continue=#pinContinueBtn shut"),
        ("none of three", one_of_three(3), Screen::Unknown, ""),
        ("invisible", format!("<div style='visibility:hidden'>{PIN}</div>{OTP}"), Screen::Otp, "otp=#otpNum empty, otp_continue=#continueBtn shut"),
        (
            "other ids on the mobile screen",
            "<form><input id=a type=tel maxlength=10 placeholder='Mobile number'><button data-testid=getOtp>Get OTP</button></form>".into(),
            Screen::Mobile,
            "mobile=input[type=tel][maxlength='10'] empty, get_otp=button[data-testid=getOtp] open",
        ),
        (
            "a phone number that the browser may fill in",
            "<input name=phone autocomplete=tel>".into(),
            Screen::Mobile,
            "mobile=input[autocomplete=tel] empty",
        ),
        (
            "other ids on the OTP screen",
            OTP.replace("otpNum", "b").replace("continueBtn", "c"),
            Screen::Otp,
            "otp=input[placeholder^='Enter OTP'] empty, otp_continue=form:has(input[autocomplete=one-time-code], \
             input[placeholder^='Enter OTP']) button[type=submit] shut",
        ),
        (
            "an OTP that the browser may fill in",
            "<form><input autocomplete=one-time-code><button>Resend</button><button type=submit>Continue</button></form>".into(),
            Screen::Otp,
            "otp=input[autocomplete=one-time-code] empty, otp_continue=form:has(input[autocomplete=one-time-code], \
             input[placeholder^='Enter OTP']) button[type=submit] open",
        ),
        (
            "other ids on the PIN screen",
            PIN.replace("pinCode", "d").replace("pinContinueBtn", "e"),
            Screen::Pin,
            "pin=input[type=password][maxlength='6'] empty, \
             pin_continue=form:has(input[type=password]) button[type=submit] shut",
        ),
        (
            "six boxes for the PIN",
            "<input type=password maxlength=1>".repeat(6),
            Screen::Pin,
            "pin=input[type=password][maxlength='1'] empty",
        ),
        ("consent", "<h1>Authorize App</h1><button> Allow </button><button>Deny</button>".into(), Screen::Consent, "consent"),
        ("consent as an input", "<input type=submit value=Authorise>".into(), Screen::Consent, "consent"),
        ("a button that allows something else", "<button>Allow cookies</button>".into(), Screen::Unknown, ""),
        ("blank", String::new(), Screen::Unknown, ""),
    ]
}

fn challenges() -> Vec<Row> {
    let shut = "mobile=#mobileNum matches, get_otp=#getOtp shut";
    let open = "mobile=#mobileNum matches, get_otp=#getOtp open";
    let (shut_box, open_box): (&str, &str) = (
        "mobile=#mobileNum matches, get_otp=#getOtp shut, challenge",
        "mobile=#mobileNum matches, get_otp=#getOtp open, challenge",
    );
    vec![
        (
            "box",
            mobile(MOBILE, "disabled", TURNSTILE),
            Screen::Challenge,
            shut_box,
        ),
        (
            "iframe",
            mobile(MOBILE, "disabled", TURNSTILE_IFRAME),
            Screen::Challenge,
            shut_box,
        ),
        (
            "words",
            mobile(MOBILE, "disabled", CHECKBOX),
            Screen::Challenge,
            shut_box,
        ),
        (
            "box before the number",
            mobile("", "disabled", TURNSTILE),
            Screen::Mobile,
            "mobile=#mobileNum empty, get_otp=#getOtp shut, challenge",
        ),
        (
            "solved",
            mobile(MOBILE, "", TURNSTILE_SOLVED),
            Screen::Mobile,
            open,
        ),
        (
            "solved, and asked for",
            mobile(MOBILE, "disabled", TURNSTILE_SOLVED),
            Screen::Mobile,
            shut,
        ),
        (
            "solved iframe",
            mobile(MOBILE, "", TURNSTILE_IFRAME),
            Screen::Mobile,
            open_box,
        ),
        (
            "link of the box alone",
            mobile(MOBILE, "disabled", "<a href='#'>Having trouble?</a>"),
            Screen::Mobile,
            shut,
        ),
        (
            "hidden box",
            mobile(MOBILE, "disabled", &format!("<div hidden>{TURNSTILE}</div>")),
            Screen::Mobile,
            shut,
        ),
        ("box alone", TURNSTILE.into(), Screen::Challenge, "challenge"),
        (
            "box beside the PIN",
            format!("{PIN}{TURNSTILE}"),
            Screen::Pin,
            "pin=#pinCode empty, pin_continue=#pinContinueBtn shut, challenge",
        ),
        (
            "page that checks",
            "<h1>Checking your browser</h1><form id=challenge-form>…</form>".into(),
            Screen::Challenge,
            "challenge, blocked",
        ),
    ]
}

/// Pages of several makers that stand alone before all others, in no language or in others than English.
fn challenge_pages() -> Vec<Row> {
    [
        ("Cloudflare's data", "<title>Einen ClockReading…</title><script>window._cf_chl_opt = { cType: 'managed' }</script>"),
        ("Cloudflare's script", "<script src='/cdn-cgi/challenge-platform/h/g/orchestrate/chl_page/v1?ray=8f0'></script>"),
        ("Cloudflare's form", "<p>एक क्षण</p><form action='/?__cf_chl_f_tk=x' method=post></form>"),
        ("Cloudflare's other form", "<form action='/cdn-cgi/challenge-platform/h/b/x' method=post></form>"),
        ("Cloudflare's iframe", TURNSTILE_IFRAME),
        ("Cloudflare's box without words", "<div class=cf-turnstile style='height:65px'></div>"),
        ("hCaptcha's box", "<div class=h-captcha style='height:78px'></div>"),
        ("hCaptcha's iframe", "<iframe src='https://newassets.hcaptcha.com/captcha/v1/x/static/hcaptcha.html#frame=checkbox'></iframe>"),
        ("reCAPTCHA's box", "<div class=g-recaptcha style='height:78px'></div>"),
        ("reCAPTCHA's iframe", "<iframe src='https://www.google.com/recaptcha/api2/anchor?size=normal'></iframe>"),
        ("reCAPTCHA's pictures", "<iframe src='https://www.recaptcha.net/recaptcha/enterprise/bframe?k=x'></iframe>"),
        ("DataDome's iframe", "<iframe src='https://geo.captcha-delivery.com/captcha/?x'></iframe>"),
        ("Arkose's iframe", "<iframe src='https://client-api.arkoselabs.com/fc/x'></iframe>"),
        ("Imperva's iframe", "<iframe src='/_Incapsula_Resource?x'></iframe>"),
        ("HUMAN's box", "<div id=px-captcha>…</div>"),
        ("AWS's page", "<div id=challenge-container></div>"),
    ]
    .into_iter()
    .map(|(name, page)| (name, page.to_owned(), Screen::Challenge, "challenge"))
    .collect()
}

/// What is made by the same people, or only speaks of them.
fn no_challenges() -> Vec<Row> {
    let nothing = |name, page: &str| (name, page.to_owned(), Screen::Unknown, "");
    let beside = |name, more: &str| {
        let page = mobile(MOBILE, "disabled", more);
        (
            name,
            page,
            Screen::Mobile,
            "mobile=#mobileNum matches, get_otp=#getOtp shut",
        )
    };
    let badge = "<iframe width=256 height=60 title=reCAPTCHA src='https://www.google.com/recaptcha/api2/anchor?size=invisible'></iframe>";
    let watches = "<script>window.__CF$cv$params = { r: '8f0' }</script>
        <script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script>
        <script src='/cdn-cgi/challenge-platform/h/g/scripts/jsd/x/main.js'></script>
        <script src='https://static.cloudflareinsights.com/beacon.min.js'></script>";
    vec![
        nothing("a title and words of Cloudflare's", "<title>Just a moment...</title><p>Performance & security by Cloudflare</p>"),
        nothing("links to Cloudflare", "<a href='https://challenges.cloudflare.com/'>Cloudflare</a> <a href='/cdn-cgi/challenge-platform/'>x</a>"),
        nothing("a frame that names it", "<iframe src='about:blank?challenges.cloudflare.com'></iframe>"),
        nothing("what Cloudflare puts into every page", watches),
        nothing("a program for boxes, and no box", "<script src='https://challenges.cloudflare.com/turnstile/v0/api.js'></script>"),
        nothing("a text about boxes", "<p>Why do we ask you to verify you are human? captcha, hcaptcha.com</p>"),
        nothing("a box of reCAPTCHA's that was ticked", "<div class=g-recaptcha>x</div><textarea name=g-recaptcha-response hidden>0.x</textarea>"),
        beside("reCAPTCHA's badge", badge),
        beside("hCaptcha that is not seen", "<div class=h-captcha data-size=invisible>x</div>
            <iframe src='https://newassets.hcaptcha.com/captcha/v1/x#frame=checkbox-invisible' title='hCaptcha'></iframe>"),
        beside("pictures that nobody is shown", "<div style='visibility:hidden'><iframe src='https://www.google.com/recaptcha/api2/bframe'></iframe></div>"),
        beside("Cloudflare's eyes beside the number", watches),
    ]
}

fn refusals() -> Vec<Row> {
    vec![
        (
            "1010",
            "<h1>Access denied</h1><p>error code: 1010</p><p>Cloudflare Ray ID: 8f0</p>".into(),
            Screen::Unknown,
            "blocked",
        ),
        (
            "1020",
            "<h1>Error 1020</h1><p>Ray ID: 8f0</p>".into(),
            Screen::Unknown,
            "blocked",
        ),
        (
            "check without a box",
            "<p>Checking your browser before accessing upstox.com</p>".into(),
            Screen::Unknown,
            "blocked",
        ),
        (
            "another error",
            "<h1>Error 1040</h1><p>Access granted</p>".into(),
            Screen::Unknown,
            "",
        ),
        (
            "locked",
            "<section class=locked-screen><h1>Your account is blocked</h1><p>Reset your PIN.</p></section>"
                .into(),
            Screen::Unknown,
            "locked=Your account is blocked",
        ),
        (
            "locked for a while",
            "<div role=heading>Your account has been temporarily locked.</div>".into(),
            Screen::Unknown,
            "locked=Your account has been temporarily locked.",
        ),
        (
            "locked, not shown",
            format!("<h1 hidden>Your account is blocked</h1>{PIN}"),
            Screen::Pin,
            "pin=#pinCode empty, pin_continue=#pinContinueBtn shut",
        ),
        (
            "help about locks",
            format!("{PIN}<h2>Your account is blocked?</h2>"),
            Screen::Pin,
            "pin=#pinCode empty, pin_continue=#pinContinueBtn shut",
        ),
    ]
}

/// What was seen, without alerts, as one line.
fn summary(seen: &PageSnapshot) -> String {
    let field = |name: &str, selector: &str, marks: &[(bool, &str)]| {
        let marks = marks
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, mark)| format!(" {mark}"));
        format!("{name}={selector}{}", marks.collect::<String>())
    };
    let mut parts = Vec::new();
    if let Some(found) = &seen.mobile {
        parts.push(field(
            "mobile",
            &found.selector,
            &[(found.empty, "empty"), (found.matches, "matches")],
        ));
    }
    for (name, box_, button_name, button) in [
        ("", &None, "get_otp", &seen.get_otp),
        ("otp", &seen.otp, "otp_continue", &seen.otp_continue),
        ("pin", &seen.pin, "pin_continue", &seen.pin_continue),
    ] {
        parts.extend(
            box_.as_ref()
                .map(|found| field(name, &found.selector, &[(found.empty, "empty")])),
        );
        parts.extend(button.as_ref().map(|found| {
            field(
                button_name,
                &found.selector,
                &[(found.enabled, "open"), (!found.enabled, "shut")],
            )
        }));
    }
    let marks = [
        (seen.challenge, "challenge"),
        (seen.consent, "consent"),
        (seen.blocked, "blocked"),
        (seen.unreachable, "unreachable"),
    ];
    parts.extend(
        marks
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, mark)| (*mark).to_owned()),
    );
    parts.extend(seen.locked.as_ref().map(|words| format!("locked={words}")));
    parts.extend(
        seen.error
            .as_ref()
            .map(|error| format!("error={} {}", error.code, error.message)),
    );
    parts.join(", ")
}

async fn compare(rows: Vec<Row>) -> Result<()> {
    let browser = Browser::start().await?;
    let mut wrong = Vec::new();
    for (name, document, screen, expected) in rows {
        browser
            .show(
                "text/html",
                &format!("<!doctype html><title>Login</title>{document}"),
            )
            .await?;
        let seen = browser.look().await?;
        let (is, found) = (seen.screen(), summary(&seen));
        if is != screen || found != expected {
            wrong.push(format!(
                "{name}: {is}: {found}\n  instead of {screen}: {expected}"
            ));
        }
    }
    browser.close().await?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn forms_are_recognised_by_what_is_shown() -> Result<()> {
    compare(forms()).await
}

#[tokio::test]
async fn challenges_and_pages_that_turn_away_are_told_apart() -> Result<()> {
    compare([challenges(), challenge_pages(), no_challenges(), refusals()].concat()).await
}

#[tokio::test]
async fn pages_that_are_not_upstoxs_are_told_apart() -> Result<()> {
    let browser = Browser::start().await?;
    for spelling in ["errorCode", "error_code"] {
        let body = format!(
            r#"{{"status":"error","errors":[{{"{spelling}":"UDAPI100068","message":"Check your client_id"}}]}}"#
        );
        for kind in ["application/json", "text/plain"] {
            browser.show(kind, &body).await?;
            let seen = browser.look().await?;
            assert_eq!(
                summary(&seen),
                "error=UDAPI100068 Check your client_id",
                "{spelling} as {kind}"
            );
            assert_eq!(seen.screen(), Screen::Unknown);
        }
    }
    // Nothing listens at port 1: such is a redirect's end when no server of the operator's is up.
    let _ = browser.go_to("http://127.0.0.1:1/callback?code=x").await;
    let seen = browser.look().await?;
    assert_eq!(
        (seen.screen(), summary(&seen).as_str()),
        (Screen::Unknown, "unreachable")
    );
    assert_eq!(seen.answer.browsers_code, "ERR_UNSAFE_PORT");
    // In many languages the words before it are longer, and some pages do not show it.
    for change in [
        "document.body.prepend('lang '.repeat(2000))",
        "document.querySelectorAll('.error-code').forEach((one) => one.remove())",
    ] {
        browser.run(change).await?;
        assert_eq!(
            browser.look().await?.answer.browsers_code,
            "ERR_UNSAFE_PORT",
            "{change}"
        );
    }
    browser.go_to("about:blank").await?;
    let blank = browser.look().await?;
    assert_eq!((summary(&blank).as_str(), blank.lines.len()), ("", 0));
    assert!(blank.answer.host.is_empty(), "{blank:?}");
    browser.close().await
}

/// The page moves on from box to box, as such pages do; Vega types into the first.
#[tokio::test]
async fn what_is_typed_lands_in_the_page() -> Result<()> {
    let browser = Browser::start().await?;
    let page = browser.page();
    browser.show("text/html", &mobile("", "", "")).await?;
    page.fill_mobile("#mobileNum", &MobileNumber::new(MOBILE)?)
        .await?;
    assert!(browser.look().await?.mobile.is_some_and(|field| field.matches));

    let boxes = "<input type=password maxlength=1 oninput='this.nextElementSibling?.focus()'>".repeat(6);
    browser.show("text/html", &boxes).await?;
    let first = browser
        .look()
        .await?
        .pin
        .map(|field| field.selector)
        .unwrap_or_default();
    let pin = SecondFactor::read(PromptKind::Pin, "314159")?;
    page.fill_second_factor(&first, &pin).await?;
    let typed = "return [...document.querySelectorAll('input')].map((each) => each.value).join('')";
    assert_eq!(browser.client.execute(typed, vec![]).await?, "314159");
    assert!(browser.look().await?.pin.is_some_and(|field| !field.empty));
    browser.close().await
}
