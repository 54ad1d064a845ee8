//! The form stands in one place and what is said of it in another: beside its frame, in it, or in the window behind.

use anyhow::{Result, ensure};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::sign_in::PromptKind;

use crate::broker::{Broker, Page, Request};
use crate::refusals::{NOTICED, by_script};
use crate::sign_in::{STATE, SignInDesk};

/// Pages by their path; the dialog leads to `/login`.
async fn pages(pages: Vec<(&'static str, String)>) -> Result<Broker> {
    Broker::start(move |request: &Request| {
        let path = request.line.split_once(' ').map_or("", |(_, path)| path);
        match pages.iter().find(|(at, _)| *at == path) {
            Some((_, html)) => Page::html(format!("<!doctype html><title>Sign in</title>{html}")),
            None if path.starts_with("/v2") => Page::to("/login"),
            None => Page::with(404, "text/plain", ""),
        }
    })
    .await
}

async fn sign_in(broker: &Broker) -> Result<(Result<String, Failure>, SignInDesk)> {
    let desk = SignInDesk::new(broker, "http://localhost:28020/cb")?;
    let outcome = desk.sign_in().await?;
    Ok((outcome, desk))
}

const FRAME: &str = "<iframe src=/inner width=600 height=300></iframe>";
/// Another site: only the driver can look into it.
const SEALED: &str = "<iframe src=/inner sandbox='allow-forms allow-scripts' width=600 height=300></iframe>";

/// Keeps the form as it was, so that words alone refuse.
fn telling(whom: &str) -> String {
    by_script(&format!("later(() => {whom}.postMessage('no', '*'))"))
}

/// When told, does this with `words`.
fn listening(act: &str) -> String {
    format!(
        "<p id=words></p><script>
           const words = document.getElementById('words');
           addEventListener('message', () => {{ {act} }});
         </script>"
    )
}

/// Where a PIN is refused in words: the pages.
fn refusing() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let plain = listening("words.textContent = 'Incorrect PIN'");
    let toast = listening(
        "const toast = document.createElement('div'); toast.setAttribute('role', 'alert');
         toast.textContent = 'Incorrect PIN'; document.body.append(toast); setTimeout(() => toast.remove(), 400);",
    );
    let in_frame = |top: &str, frame: &str| vec![("/login", format!("<h1>Sign in</h1>{top}{frame}"))];
    let with = |mut pages: Vec<(&'static str, String)>, inner: String| {
        pages.push(("/inner", inner));
        pages
    };
    vec![
        (
            "beside the frame",
            with(in_frame(&plain, FRAME), telling("parent")),
        ),
        (
            "beside a sealed frame",
            with(in_frame(&plain, SEALED), telling("parent")),
        ),
        (
            "in a toast beside the frame",
            with(in_frame(&toast, FRAME), telling("parent")),
        ),
        (
            "in a frame beside the frame",
            vec![
                (
                    "/login",
                    format!("<iframe name=said src=/said width=400 height=40></iframe>{FRAME}"),
                ),
                ("/said", plain.clone()),
                ("/inner", telling("parent.said")),
            ],
        ),
        (
            "in a frame beside the form",
            vec![
                (
                    "/login",
                    format!(
                        "{}<iframe name=said src=/said width=400 height=40></iframe>",
                        telling("said")
                    ),
                ),
                ("/said", plain),
            ],
        ),
        (
            "in the window behind one that closes itself",
            vec![
                (
                    "/login",
                    "<p id=words>It goes on in a new window.</p><script>
                       const opened = open('/inner', '_blank', 'width=600,height=400');
                       setInterval(() => {
                         if (opened.closed) document.getElementById('words').textContent = 'Incorrect PIN';
                       }, 100);
                     </script>"
                        .into(),
                ),
                ("/inner", by_script("later(() => close())")),
            ],
        ),
    ]
}

#[tokio::test]
async fn a_refusal_is_heard_wherever_it_is_told() -> Result<()> {
    let mut wrong = Vec::new();
    for (name, html) in refusing() {
        let (outcome, desk) = sign_in(&pages(html).await?).await?;
        let refused = outcome
            .as_ref()
            .is_err_and(|failure| failure.reason == FailureReason::PinRefused);
        let told = outcome
            .as_ref()
            .is_err_and(|failure| failure.detail.contains("Incorrect PIN"));
        let took = desk.seen.since_the_answer();
        let once = *desk.seen.asked.lock().unwrap() == [PromptKind::Pin];
        if !refused || !told || !once || took > NOTICED {
            wrong.push(format!("{name}: {outcome:?} after {took:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// What stood there before the submit refuses nothing; and a window that closes itself is no end while another lives.
fn accepting() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let redirect = format!("http://localhost:28020/cb?code=mk404x&state={STATE}");
    let warned = "<p>After an incorrect PIN your account is locked.</p>";
    let alert = "<div role=alert>Incorrect PIN? Ask us.</div>";
    let go = format!("setTimeout(() => {{ location.href = '{redirect}' }}, 4000)");
    let opening = "const opened = open('/inner', '_blank', 'width=600,height=400');";
    vec![
        (
            "words beside the frame that stood there",
            vec![
                ("/login", format!("{warned}{alert}{}{FRAME}", listening(&go))),
                ("/inner", telling("parent")),
            ],
        ),
        (
            "a window that closes itself, and words in that behind it",
            vec![
                (
                    "/login",
                    format!(
                        "{warned}{alert}<script>{opening}
                           const wait = setInterval(() => {{ if (opened.closed) {{ clearInterval(wait); {go} }} }}, 100);
                         </script>"
                    ),
                ),
                ("/inner", by_script("later(() => close())")),
            ],
        ),
        (
            "a window that has nothing to do with it",
            vec![
                (
                    "/login",
                    format!(
                        "<script>open('/other', '_blank', 'width=300,height=200')</script>{}",
                        by_script(&go)
                    ),
                ),
                ("/other", "<p>Hello</p><script>setTimeout(() => close(), 2500)</script>".into()),
            ],
        ),
    ]
}

#[tokio::test]
async fn the_sign_in_goes_on_in_the_window_that_lives() -> Result<()> {
    let mut wrong = Vec::new();
    for (name, html) in accepting() {
        let (outcome, _) = sign_in(&pages(html).await?).await?;
        if outcome.as_deref() != Ok("mk404x") {
            wrong.push(format!("{name}: {outcome:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}
