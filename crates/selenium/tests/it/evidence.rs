//! What is kept of a page when a sign-in failed on it, and of which pages a picture is taken.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;
use vega_domain::account::RedirectUri;
use vega_domain::ids::MobileNumber;
use vega_selenium::PageEvidence;

use crate::browser::{Browser, MOBILE};
use crate::documents::{OTP, PIN, TURNSTILE_IFRAME, mobile, one_of_three};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

async fn gather(browser: &Browser) -> Result<PageEvidence> {
    // More than it ever takes.
    gather_until(browser, Instant::now() + Duration::from_secs(30)).await
}

async fn gather_until(browser: &Browser, until: Instant) -> Result<PageEvidence> {
    let mobile = MobileNumber::new(MOBILE)?;
    let redirect_uri = RedirectUri::new("http://localhost:28020/cb")?;
    Ok(PageEvidence::gather(&browser.client, &mobile, &redirect_uri, until).await)
}

async fn show(browser: &Browser, document: &str) -> Result<()> {
    let document = format!("<!doctype html><title>Login</title>{document}");
    browser.show("text/html", &document).await
}

const SECRET: &str = "a box for a second factor";
const TYPED: &str = "holds what was typed";
const NUMBER: &str = "a number that may have been typed";
const SEALED: &str = "a part that cannot be looked into";

/// A document, and why there is no picture of it, if so.
type Case = (&'static str, String, Option<&'static str>);

fn box_(more: &str) -> String {
    format!("<input {more}>")
}

fn shadow(document: &str) -> String {
    format!("<div><template shadowrootmode=open>{document}</template></div>")
}

fn documents() -> Vec<Case> {
    let frame = |document: &str| {
        let document = document.replace('"', "'");
        format!("<iframe width=300 height=65 srcdoc=\"{document}\"></iframe>")
    };
    vec![
        (
            "plain",
            "<h1>Access denied</h1><p>error code: 1010, 8f0000000000abcd".into(),
            None,
        ),
        (
            "consent",
            "<h1>Authorize</h1><button id=allow>Allow</button><input type=submit value=Authorise>".into(),
            None,
        ),
        ("empty mobile box", mobile("", "disabled", ""), None),
        ("challenge", mobile("", "disabled", TURNSTILE_IFRAME), None),
        (
            "upstox's error",
            r#"{"errors":[{"errorCode":"UDAPI100068"}]}"#.into(),
            None,
        ),
        (
            "a typed box that is not shown",
            format!("<div hidden>{}</div>", box_("value=typed")),
            None,
        ),
        ("filled mobile box", mobile(MOBILE, "disabled", ""), Some(TYPED)),
        ("text", "<textarea>typed</textarea>".into(), Some(TYPED)),
        ("other box", box_("value=typed"), Some(TYPED)),
        (
            "transparent box",
            box_("value=typed style=opacity:0"),
            Some(TYPED),
        ),
        (
            "editable",
            "<ul contenteditable><li>typed</li></ul>".into(),
            Some(TYPED),
        ),
        ("box in a frame", frame(&box_("value=typed")), Some(TYPED)),
        ("box in a shadow", shadow(&box_("value=typed")), Some(TYPED)),
        ("otp", OTP.into(), Some(SECRET)),
        ("pin", PIN.into(), Some(SECRET)),
        ("screens that are not shown", one_of_three(0), Some(SECRET)),
        (
            "hidden password",
            format!("<p>Blocked</p>{}", box_("type=password hidden")),
            Some(SECRET),
        ),
        (
            "box of an OTP by its words",
            "<label>Enter TOTP <input></label>".into(),
            Some(SECRET),
        ),
        ("one of six boxes", box_("type=tel maxlength=1"), Some(SECRET)),
        (
            "box that masks",
            box_("style='-webkit-text-security:disc'"),
            Some(SECRET),
        ),
        ("pin in a frame", frame(PIN), Some(SECRET)),
        ("pin in a shadow", shadow(PIN), Some(SECRET)),
        (
            "words that repeat an OTP",
            "<p>482913 is wrong".into(),
            Some(NUMBER),
        ),
        (
            "words that repeat it in parts",
            "<b>4</b> <b>8</b> <b>2</b> <b>9</b> <b>1</b> <b>3</b>".into(),
            Some(NUMBER),
        ),
        (
            "words that repeat the mobile number",
            "<p>OTP sent to (98765) / (00001)".into(),
            Some(NUMBER),
        ),
        (
            "placeholder that repeats it",
            box_(&format!("type=tel placeholder={MOBILE}")),
            Some(NUMBER),
        ),
    ]
}

/// With parts that nobody can look into.
fn documents_that_hide_something() -> Vec<Case> {
    let closed = |more: &str| {
        let inside = box_("type=password value=typed");
        format!("<login-box {more}><template shadowrootmode=closed>{inside}</template></login-box>")
    };
    vec![
        (
            "element with an open shadow",
            "<login-box><template shadowrootmode=open><p>Blocked</p></template></login-box>".into(),
            None,
        ),
        (
            "element that may have a closed shadow and is not shown",
            closed("hidden"),
            None,
        ),
        ("closed shadow", closed(""), Some(SEALED)),
        (
            "closed shadow of an element without a box of its own",
            closed("style=display:contents"),
            Some(SEALED),
        ),
        ("closed shadow in an open one", shadow(&closed("")), Some(SEALED)),
        (
            "another frame",
            "<iframe width=9 height=9 src='https://login.invalid/'></iframe>".into(),
            Some(SEALED),
        ),
    ]
}

#[tokio::test]
async fn a_picture_is_taken_only_of_pages_without_a_secret() -> Result<()> {
    let browser = Browser::start().await?;
    let mut wrong = Vec::new();
    for (name, document, expected) in documents().into_iter().chain(documents_that_hide_something()) {
        show(&browser, &document).await?;
        let picture = gather(&browser).await?.picture;
        let is_right = match (&picture, expected) {
            (Ok(png), None) => png.starts_with(PNG),
            (Err(why), Some(words)) => why.contains(words),
            _ => false,
        };
        if !is_right {
            wrong.push(format!("{name}: {:?}", picture.map(|png| png.len())));
        }
    }
    browser.close().await?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn ids_are_kept_and_neither_values_nor_words() -> Result<()> {
    let browser = Browser::start().await?;
    let otp = OTP.replace("<input ", "<input value=482913 name=typed ");
    let hidden = "<p id=gone hidden>gone</p><p id=unseen style='visibility:hidden'>unseen</p>";
    let more = "<input title=words><p id=of-482913-it>words</p>";
    show(&browser, &format!("{otp}{hidden}{more}")).await?;
    let evidence = gather(&browser).await?;
    assert_eq!(evidence.address.as_deref(), Some("data:"));
    let seen: Vec<(&str, Option<&str>)> = evidence
        .elements
        .iter()
        .map(|element| (&*element.tag, element.id.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [
            ("input", Some("otpNum")),
            ("button", Some("continueBtn")),
            ("input", None),
            ("p", Some("of-[number]-it")),
        ]
    );
    let told = format!("{:?}{:?}", evidence.elements, evidence.address);
    for secret in ["482913", "typed", "words", "gone", "unseen"] {
        ensure!(!told.contains(secret), "{secret} in {told}");
    }

    let many = format!("<p id={}>.</p>", "x".repeat(100)).repeat(150);
    show(&browser, &many).await?;
    let elements = gather(&browser).await?.elements;
    assert_eq!(elements.len(), 100);
    let id = elements[0].id.as_ref().context("an id")?;
    assert_eq!(id.len(), 64);
    browser.close().await
}

#[tokio::test]
async fn a_browser_that_does_not_answer_is_not_waited_for() -> Result<()> {
    let browser = Browser::start().await?;
    show(&browser, "<p id=plain>plain").await?;
    let evidence = gather_until(&browser, Instant::now()).await?;
    assert_eq!(evidence.picture, Err("the browser did not answer in time"));
    assert_eq!(evidence.elements, []);
    browser.close().await
}

/// Somebody types and deletes it again, so that the page looks as before when the picture is there.
#[tokio::test]
async fn a_picture_is_thrown_away_when_somebody_typed_meanwhile() -> Result<()> {
    let browser = Browser::start().await?;
    show(&browser, "<input id=mobileNum type=tel>").await?;
    browser
        .run(
            "const box = document.getElementById('mobileNum');
             const type = () => {
               box.value = '9';
               box.dispatchEvent(new Event('input', { bubbles: true }));
               box.value = '';
             };
             setInterval(type, 1)",
        )
        .await?;
    let why = gather(&browser).await?.picture.err();
    assert_eq!(why, Some("the page changed while the picture was taken"));
    browser.close().await
}
