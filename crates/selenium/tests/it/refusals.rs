//! The page refuses, in a real browser: whatever its words are, wherever its form is, whoever submitted it. The pages here
//! keep nothing but the form; each says by itself what it does with a wrong PIN.

use std::time::Duration;

use anyhow::{Result, ensure};
use vega_domain::failure::FailureReason;
use vega_domain::sign_in::{Notice, PromptKind};

use crate::broker::{Broker, Page, Request};
use crate::sign_in::{STATE, SignInDesk};

const FORM: &str = "<form method=post action=/pin><input type=password id=pinCode name=p maxlength=6>
    <button id=pinContinueBtn>Continue</button></form>";

/// As people have reported it: new after the submit, the form empty, and a paragraph that is no alert.
const IN_PLAIN_WORDS: &str = r#"<!doctype html><title>Enter 6-digit PIN</title>
<p class="error-message">Incorrect PIN. 4 attempts left.</p>
<form method="post" action="/pin"><input type="password" id="pinCode" name="p" maxlength="6"><button id="pinContinueBtn">Continue</button></form>"#;

/// A page that asks for the PIN and does this with a submitted one; `box` is its input and `say` puts words on the page.
pub(crate) fn by_script(act: &str) -> String {
    format!(
        "<!doctype html><title>PIN</title><h1>Enter 6-digit PIN</h1>{FORM}<p id=words></p><script>
           const box = document.getElementById('pinCode');
           const say = (words) => (document.getElementById('words').textContent = words);
           const later = (act, time = 100) => setTimeout(act, time);
           document.querySelector('form').addEventListener('submit', (event) => {{ event.preventDefault(); {act} }});
         </script>"
    )
}

/// How a page refuses the PIN: its first document, and what comes after the submit where that is a document.
fn refusing() -> Vec<(&'static str, String, Option<String>)> {
    let anew = |words: &str| Some(format!("<!doctype html><title>PIN</title>{words}{FORM}"));
    let first = format!("<!doctype html><title>PIN</title>{FORM}");
    vec![
        ("a new document in plain words", first.clone(), Some(IN_PLAIN_WORDS.into())),
        ("a new document in other words", first.clone(), anew("<span>आपका पिन गलत है</span>")),
        ("a new document without a word", first, anew("")),
        ("emptied, with words", by_script("later(() => { box.value = ''; say('Incorrect PIN') })"), None),
        ("emptied, without a word", by_script("later(() => { box.value = '' })"), None),
        (
            "made anew, without a word",
            by_script("later(() => { box.outerHTML = box.outerHTML })"),
            None,
        ),
        ("kept, in plain words", by_script("later(() => say('The PIN is wrong'))"), None),
        ("kept and marked", by_script("later(() => box.setAttribute('aria-invalid', 'true'))"), None),
        (
            "kept, with the browser's own bubble",
            by_script("later(() => { box.setCustomValidity('No'); box.reportValidity(); })"),
            None,
        ),
        (
            "emptied, with words in the box",
            by_script("later(() => { box.value = ''; box.placeholder = 'Wrong PIN, once more' })"),
            None,
        ),
        (
            "in a dialog, the box as it was",
            by_script("later(() => { alert('Incorrect PIN'); })"),
            None,
        ),
        (
            "submitted by the page itself, and emptied",
            by_script("").replace(
                "</script>",
                "box.addEventListener('input', () => { if (box.value.length === 6) fetch('/empty').then(() => { box.value = '' }) })</script>",
            ),
            None,
        ),
        ("reloaded by the page itself", by_script("later(() => location.reload())"), None),
        (
            "sent back to the OTP",
            format!("<!doctype html><title>PIN</title>{FORM}"),
            Some("<!doctype html><title>OTP</title><p>That was not it</p><form><input id=otpNum></form>".into()),
        ),
        (
            "sent back to the mobile number in the same document",
            by_script(
                "later(() => { document.querySelector('form').outerHTML = '<form><input id=mobileNum type=tel maxlength=10>' +
                 '<button id=getOtp disabled>Get OTP</button></form>' })",
            ),
            None,
        ),
        (
            "submitted by the page itself in a way that nothing tells of, and emptied",
            by_script("").replace(
                "</script>",
                "document.getElementById('pinContinueBtn').disabled = true;
                 box.addEventListener('input', () => { if (box.value.length === 6) fetch('/x').then(() => { box.value = '' }) })</script>",
            ),
            None,
        ),
        (
            "after a spinner",
            by_script(
                "const turn = document.createElement('div'); turn.className = 'spinner'; turn.textContent = '...';
                 document.body.append(turn); box.value = ''; later(() => { turn.remove(); say('Nope') }, 3000)",
            ),
            None,
        ),
    ]
}

/// Three seconds on an idle machine; on a busy one it is still told apart from the human timeout.
pub(crate) const NOTICED: Duration = Duration::from_secs(15);

async fn broker_with(first: String, after: Option<String>) -> Result<Broker> {
    Broker::start(move |request| match &*request.line {
        line if line.starts_with("POST") => Page::html(after.clone().unwrap_or_default()),
        line if line.starts_with("GET /favicon") => Page::with(404, "text/plain", ""),
        line if line.starts_with("GET /login") => Page::html(first.clone()),
        _ => Page::to("/login"),
    })
    .await
}

fn posts(broker: &Broker) -> usize {
    let asked = broker.asked();
    asked
        .iter()
        .filter(|request| request.line.starts_with("POST"))
        .count()
}

#[tokio::test]
async fn a_refused_pin_is_noticed_whatever_the_page_makes_of_it() -> Result<()> {
    let mut wrong = Vec::new();
    for (name, first, after) in refusing() {
        let is_document = after.is_some();
        let broker = broker_with(first, after).await?;
        let desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
        let outcome = desk.sign_in().await?;
        let took = desk.seen.since_the_answer();
        let refused = outcome
            .as_ref()
            .is_err_and(|failure| failure.reason == FailureReason::PinRefused);
        let once = *desk.seen.asked.lock().unwrap() == [PromptKind::Pin]
            && posts(&broker) == usize::from(is_document);
        if !refused || !once || took > NOTICED {
            wrong.push(format!(
                "{name}: {outcome:?} after {took:?}, {} posts",
                posts(&broker)
            ));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// A second button beside the full box, pressed when the box is full and the driver has typed its last key; the page then
/// empties the box.
fn with_another_button(words: &str, empties: &str) -> String {
    by_script("").replace(
        "</script>",
        &format!(
            "document.getElementById('pinContinueBtn').disabled = true;
             document.body.insertAdjacentHTML('beforeend', '<button type=button id=other>{words}</button>');
             const other = document.getElementById('other');
             other.addEventListener('click', () => {{ {empties} }});
             box.addEventListener('input', () => {{ if (box.value.length === 6) setTimeout(() => other.click(), 200) }})</script>"
        ),
    )
}

/// Nobody can tell what a button in words that Vega does not know did with a full box, so no second PIN is asked for. One
/// that is known to do something else used up nothing.
#[tokio::test]
async fn a_press_of_an_unknown_button_may_have_submitted_the_pin() -> Result<()> {
    let (at_once, later) = ("box.value = ''", "later(() => { box.value = '' }, 300)");
    for (words, empties, asked) in [
        ("जारी रखें", at_once, 1),
        ("जारी रखें", later, 1),
        ("", at_once, 1),
        ("Show", at_once, 1),
        ("Clear", at_once, 2),
        ("Clear", later, 2),
    ] {
        let broker = broker_with(with_another_button(words, empties), None).await?;
        let mut desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
        desk.human_timeout = Duration::from_secs(20);
        let outcome = desk.sign_in().await?;
        let times = desk.seen.asked.lock().unwrap().len();
        let refused = outcome
            .as_ref()
            .is_err_and(|failure| failure.reason == FailureReason::PinRefused);
        ensure!(
            refused == (asked == 1) && times.min(2) == asked,
            "{words}: asked {times} times, {outcome:?}"
        );
    }
    Ok(())
}

/// The mobile number comes back in a new document: with words, or in silence.
#[tokio::test]
async fn a_refused_mobile_number_is_noticed_and_get_otp_is_pressed_once() -> Result<()> {
    let first = "<!doctype html><title>Sign in</title><form method=post action=/otp>
        <input id=mobileNum type=tel name=m maxlength=10><button id=getOtp>Get OTP</button></form>";
    let rows = [
        (
            "<p>This is no number of a customer</p>",
            FailureReason::MobileRejected,
        ),
        ("", FailureReason::MobileRejected),
        (
            "<p>Something went wrong, try again later</p>",
            FailureReason::BrokerDown,
        ),
        (
            "<div>You have exceeded the maximum number of times you can generate an OTP.</div>",
            FailureReason::Throttled,
        ),
    ];
    let mut wrong = Vec::new();
    for (words, expected) in rows {
        let broker = broker_with(first.into(), Some(format!("{first}{words}"))).await?;
        let desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
        let began = tokio::time::Instant::now();
        let outcome = desk.sign_in().await?;
        let told = outcome.as_ref().is_err_and(|failure| failure.reason == expected);
        if !told || *desk.seen.presses.lock().unwrap() != 1 || posts(&broker) != 1 {
            wrong.push(format!("{words}: {outcome:?} after {:?}", began.elapsed()));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// What looks like it and is none: after it the redirect comes.
fn accepting() -> Vec<(&'static str, String)> {
    let go = format!("location.href = 'http://localhost:28020/cb?code=mk404x&state={STATE}'");
    vec![
        (
            "emptied while it works on it",
            by_script(&format!(
                "const turn = document.createElement('div'); turn.className = 'loader'; turn.textContent = '...';
                 document.body.append(turn); box.value = ''; later(() => {{ {go} }}, 4000)"
            )),
        ),
        (
            "asleep while it works on it",
            by_script(&format!("box.value = ''; box.disabled = true; later(() => {{ {go} }}, 4000)")),
        ),
        (
            "says that it works on it",
            by_script(&format!("box.value = ''; say('Verifying, please wait'); later(() => {{ {go} }}, 4000)")),
        ),
        ("slow, the box as it was", by_script(&format!("later(() => {{ {go} }}, 4000)"))),
        (
            "six boxes",
            format!(
                "<!doctype html><title>PIN</title><form>{}<button id=pinContinueBtn type=submit>Continue</button></form><script>
                   const boxes = [...document.querySelectorAll('input')];
                   boxes.forEach((box, at) => box.addEventListener('input', () => boxes[at + 1]?.focus()));
                   document.querySelector('form').addEventListener('submit', (event) => {{
                     event.preventDefault(); if (boxes.every((box) => box.value)) setTimeout(() => {{ {go} }}, 3000);
                   }});
                 </script>",
                "<input type=password maxlength=1>".repeat(6)
            ),
        ),
    ]
}

#[tokio::test]
async fn a_page_that_is_slow_is_waited_for() -> Result<()> {
    let mut wrong = Vec::new();
    for (name, first) in accepting() {
        let broker = broker_with(first, None).await?;
        let desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
        let outcome = desk.sign_in().await?;
        if outcome.as_deref() != Ok("mk404x") {
            wrong.push(format!("{name}: {outcome:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// A page that calls its server when the box is full, before anything is submitted; pressed, it lets the human in.
fn calling(before: &str, when_full: &str) -> String {
    let go = format!("location.href = 'http://localhost:28020/cb?code=mk404x&state={STATE}'");
    by_script(&go).replace(
        "</script>",
        &format!("{before}; box.addEventListener('input', () => {{ if (box.value.length === 6) {{ {when_full} }} }})</script>"),
    )
}

/// What a page calls again and again, and what it tells others, submits nothing: Vega presses.
#[tokio::test]
async fn a_call_in_the_background_is_no_submit() -> Result<()> {
    let mut wrong = Vec::new();
    for (name, page) in [
        ("called before", calling("fetch('/beat')", "fetch('/beat?n=2')")),
        (
            "again and again",
            calling("setInterval(() => fetch('/beat'), 300)", ""),
        ),
        (
            "of another origin",
            calling("", "fetch('http://localhost:1/count').catch(() => {})"),
        ),
        ("a beacon", calling("", "navigator.sendBeacon('/count', 'x')")),
    ] {
        let broker = broker_with(page, None).await?;
        let outcome = SignInDesk::new(&broker, "http://localhost:28020/cb")?
            .sign_in()
            .await?;
        if outcome.as_deref() != Ok("mk404x") {
            wrong.push(format!("{name}: {outcome:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// A call that may have been the submit is never followed by a press of Vega's: it could be a second PIN. The human is told.
#[tokio::test]
async fn a_call_that_may_have_been_the_submit_leaves_the_button_to_the_human() -> Result<()> {
    // The button sleeps until the answer is there, so that Vega does not press before.
    let button = "const button = document.getElementById('pinContinueBtn'); button.disabled = true";
    let when_full = "fetch('/strength').then((answer) => answer.text()).then(() => later(() => { button.disabled = false }, 1000))";
    let broker = broker_with(calling(button, when_full), None).await?;
    let mut desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
    desk.window = true;
    let outcome = desk.sign_in().await?;
    ensure!(
        outcome
            .as_ref()
            .is_err_and(|failure| failure.reason == FailureReason::PinTimeout),
        "{outcome:?}"
    );
    let notices = desk.events.notices();
    ensure!(notices.contains(&Notice::DoItInTheWindow), "{notices:?}");
    Ok(())
}

/// Around the form of `first`: what the login page is in.
async fn wrapped(wrapper: &'static str, inner: String, after: Option<String>) -> Result<Broker> {
    Broker::start(move |request: &Request| match &*request.line {
        line if line.starts_with("POST") => Page::html(after.clone().unwrap_or_default()),
        line if line.starts_with("GET /inner") => Page::html(inner.clone()),
        line if line.starts_with("GET /login") => Page::html(wrapper),
        _ => Page::to("/login"),
    })
    .await
}

const IFRAME: &str = "<!doctype html><title>Sign in</title><iframe src=/inner width=600 height=400></iframe>";
/// Another site, as a frame of a login service may be: only the driver can look into it.
const IFRAME_OF_ANOTHER_ORIGIN: &str = "<!doctype html><title>Sign in</title>
    <iframe src=/inner sandbox='allow-forms allow-scripts' width=600 height=400></iframe>";
const NEW_TAB: &str = "<!doctype html><title>Sign in</title><p>The sign-in goes on in a new tab.</p>
    <script>window.open('/inner')</script>";

#[tokio::test]
async fn forms_in_frames_and_in_new_tabs_are_seen_and_typed_into() -> Result<()> {
    let mut wrong = Vec::new();
    for (name, wrapper) in [
        ("iframe", IFRAME),
        ("sandbox", IFRAME_OF_ANOTHER_ORIGIN),
        ("tab", NEW_TAB),
    ] {
        for after in [Some(IN_PLAIN_WORDS.to_owned()), None] {
            let inner = match &after {
                Some(_) => format!("<!doctype html><title>PIN</title>{FORM}"),
                None => by_script("later(() => { box.value = '' })"),
            };
            let broker = wrapped(wrapper, inner, after).await?;
            let desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
            let outcome = desk.sign_in().await?;
            let refused = outcome
                .as_ref()
                .is_err_and(|failure| failure.reason == FailureReason::PinRefused);
            if !refused || desk.seen.since_the_answer() > NOTICED {
                wrong.push(format!("{name}: {outcome:?}"));
            }
        }
    }
    // A tab of the human's beside the page is no answer of the dialog.
    let beside = format!("{FORM}<script>window.open('http://localhost:1/help')</script>");
    let broker = broker_with(format!("<!doctype html>{beside}"), Some(IN_PLAIN_WORDS.into())).await?;
    let outcome = SignInDesk::new(&broker, "http://localhost:28020/cb")?
        .sign_in()
        .await?;
    if !outcome
        .as_ref()
        .is_err_and(|failure| failure.reason == FailureReason::PinRefused)
    {
        wrong.push(format!("a tab beside: {outcome:?}"));
    }
    // Where all goes well, the redirect is found in the tab that it came in.
    let go = format!("location.href = 'http://localhost:28020/cb?code=mk404x&state={STATE}'");
    let broker = wrapped(NEW_TAB, by_script(&format!("later(() => {{ {go} }})")), None).await?;
    let outcome = SignInDesk::new(&broker, "http://localhost:28020/cb")?
        .sign_in()
        .await?;
    if outcome.as_deref() != Ok("mk404x") {
        wrong.push(format!("redirect in a tab: {outcome:?}"));
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[tokio::test]
async fn a_form_in_a_shadow_tree_is_seen_and_typed_into() -> Result<()> {
    let page = "<!doctype html><title>PIN</title><login-form></login-form><script>
        const root = document.querySelector('login-form').attachShadow({ mode: 'open' });
        root.innerHTML = `<form><input type=password id=pinCode maxlength=6><button id=pinContinueBtn>Continue</button></form><p></p>`;
        root.querySelector('form').addEventListener('submit', (event) => {
          event.preventDefault();
          setTimeout(() => { root.querySelector('input').value = ''; root.querySelector('p').textContent = 'Falsche PIN' }, 100);
        });
      </script>";
    let broker = broker_with(page.into(), None).await?;
    let desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
    let outcome = desk.sign_in().await?;
    ensure!(
        desk.seen.since_the_answer() < NOTICED,
        "after {:?}",
        desk.seen.since_the_answer()
    );
    let failure = outcome.err();
    ensure!(
        failure.as_ref().is_some_and(
            |failure| failure.reason == FailureReason::PinRefused && failure.detail == "Falsche PIN"
        ),
        "{failure:?}"
    );
    Ok(())
}

/// The human corrects the PIN in the window: the page lets them in, and Vega typed once.
#[tokio::test]
async fn in_a_window_a_corrected_pin_still_completes_the_sign_in() -> Result<()> {
    let go = format!("location.href = 'http://localhost:28020/cb?code=mk404x&state={STATE}'");
    let page = by_script(&format!(
        "later(() => {{ box.value = ''; say('Incorrect PIN'); later(() => {{ {go} }}, 6000) }})"
    ));
    let broker = broker_with(page, None).await?;
    let mut desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
    desk.window = true;
    let outcome = desk.sign_in().await?;
    ensure!(outcome.as_deref() == Ok("mk404x"), "{outcome:?}");
    let because = FailureReason::PinRefused;
    ensure!(
        desk.events.notices().contains(&Notice::Refused { because }),
        "{:?}",
        desk.events.notices()
    );
    ensure!(
        *desk.seen.asked.lock().unwrap() == [PromptKind::Pin],
        "{:?}",
        desk.seen
    );

    // Nobody corrects it: refused at the deadline, not "nobody entered it".
    let broker = broker_with(
        by_script("later(() => { box.value = ''; say('Incorrect PIN') })"),
        None,
    )
    .await?;
    let mut desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
    (desk.window, desk.human_timeout) = (true, Duration::from_secs(8));
    let outcome = desk.sign_in().await?;
    ensure!(
        outcome
            .as_ref()
            .is_err_and(|failure| failure.reason == because && failure.detail == "Incorrect PIN"),
        "{outcome:?}"
    );
    Ok(())
}
