//! Alerts that come and go between two looks, and those that are no alerts.

use anyhow::{Result, ensure};
use vega_selenium::Form;

use crate::browser::Browser;
use crate::documents::{OTP, PIN};

/// Style and helpers of the page: `toast` shows words for some milliseconds, as login pages do, and waits until they
/// are gone; `mount` puts another form on the page.
const PAGE: &str = "<!doctype html><style>
      .faded { opacity: 0; transition: opacity 1s } .faded.in { opacity: 1 }
      .gone { display: none } .unseen { opacity: 0 }
      .flying { animation: fly 1s } @keyframes fly { from { opacity: 0 } }
      .passing { opacity: 0; animation: pass 1s } @keyframes pass { 50% { opacity: 1 } }
    </style><main></main><div id=toasts></div><script>
      const wait = (time) => new Promise((resolve) => setTimeout(resolve, time));
      const make = (words, style = '') => {
        const box = document.createElement('div');
        box.className = `toast ${style}`;
        box.setAttribute('role', 'alert');
        box.textContent = words;
        toasts.append(box);
        return box;
      };
      const toast = async (words, style, time = 50) => {
        const box = make(words, style);
        await wait(time / 2);
        if (style === 'faded') box.classList.add('in');
        await wait(time / 2);
        box.remove();
      };
      const mount = (html) => { document.querySelector('main').innerHTML = html; };
    </script>";

struct Page {
    browser: Browser,
}

impl Page {
    /// With the first look taken.
    async fn open(content: &str) -> Result<Self> {
        let browser = Browser::start().await?;
        let page = Self { browser };
        page.show(content).await?;
        Ok(page)
    }

    async fn show(&self, content: &str) -> Result<()> {
        self.browser
            .show("text/html", &PAGE.replace("<main>", &format!("<main>{content}")))
            .await?;
        self.alerts().await?;
        Ok(())
    }

    async fn alerts(&self) -> Result<Vec<String>> {
        let alerts = self.browser.look().await?.alerts;
        Ok(alerts.into_iter().map(|alert| alert.words).collect())
    }

    async fn heard_on(&self) -> Result<Vec<Option<Form>>> {
        Ok(self
            .browser
            .look()
            .await?
            .alerts
            .iter()
            .map(|alert| alert.form)
            .collect())
    }
}

/// What happens between two looks, and what the second one reports.
const BETWEEN_LOOKS: &[(&str, &str, &[&str])] = &[
    (
        "a toast of 50 ms",
        "await toast('Incorrect PIN')",
        &["Incorrect PIN"],
    ),
    (
        "one that is transparent at first",
        "await toast('No', 'faded')",
        &["No"],
    ),
    ("one that flies in", "await toast('No', 'flying')", &["No"]),
    (
        "one whose animation shows it for a while",
        "await toast('No', 'passing')",
        &["No"],
    ),
    (
        "two, one after the other",
        "await toast('A'); await toast('B')",
        &["A", "B"],
    ),
    ("the same twice", "await toast('A'); await toast('A')", &["A"]),
    ("one that stands", "make('A'); await wait(50)", &["A"]),
    (
        "words put into a box",
        "const box = make(''); await wait(10); box.textContent = 'A'; await wait(10); box.textContent = ''",
        &["A"],
    ),
    (
        "words that change",
        "const box = make('A'); await wait(10); box.firstChild.data = 'B'; await wait(10); box.remove()",
        &["A", "B"],
    ),
    (
        "a box that is opened",
        "const box = make('A', 'gone'); await wait(10); box.className = 'toast'; await wait(10); box.remove()",
        &["A"],
    ),
    (
        "the same box opened again",
        "const box = make('A', 'gone'); for (const it of '12') { box.className = 'toast'; await wait(10); box.className = 'toast gone'; await wait(10) }",
        &["A"],
    ),
    (
        "a toast in a box around it",
        "const box = document.createElement('div'); box.innerHTML = '<p role=alert>A</p>'; toasts.append(box); await wait(10); box.remove()",
        &["A"],
    ),
    ("one that is never shown", "await toast('A', 'gone')", &[]),
    ("one that stays transparent", "await toast('A', 'unseen')", &[]),
    (
        "a screen with templates",
        "mount('<p role=alert class=gone>A</p><p role=alert class=unseen>B</p><p role=alert></p>'); await wait(10)",
        &[],
    ),
    (
        "other words",
        "mount('<p>Incorrect PIN</p>'); await wait(10); mount('')",
        &[],
    ),
];

#[tokio::test]
async fn what_is_said_between_two_looks_is_reported_once() -> Result<()> {
    let page = Page::open("").await?;
    let mut wrong = Vec::new();
    for (name, script, expected) in BETWEEN_LOOKS {
        page.show("").await?;
        page.browser
            .run(&format!("return (async () => {{ {script} }})()"))
            .await?;
        let heard = page.alerts().await?;
        page.browser.run("toasts.replaceChildren()").await?;
        let later = page.alerts().await?;
        if heard != *expected || !later.is_empty() {
            wrong.push(format!(
                "{name}: {heard:?}, then {later:?}, instead of {expected:?}"
            ));
        }
    }
    page.browser.close().await?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn an_alert_that_stands_is_seen_at_every_look_and_one_that_went_at_one() -> Result<()> {
    let page = Page::open("").await?;
    page.browser.run("make('Stands'); return toast('Went')").await?;
    assert_eq!(page.alerts().await?, ["Stands", "Went"]);
    assert_eq!(page.alerts().await?, ["Stands"]);
    assert_eq!(page.alerts().await?, ["Stands"]);
    // The same words in the same box are news once they were gone.
    page.browser
        .run("const box = toasts.firstChild; box.hidden = true; return wait(10).then(() => { box.hidden = false })")
        .await?;
    assert_eq!(page.alerts().await?, ["Stands"]);
    page.browser.close().await
}

#[tokio::test]
async fn the_first_look_sees_what_stands_and_no_template() -> Result<()> {
    let browser = Browser::start().await?;
    let boxes = "<p role=alert>A</p><p role=alert class=gone>B</p><p class='toast unseen'>C</p>";
    browser.show("text/html", &format!("{PAGE}{boxes}")).await?;
    let words: Vec<String> = browser
        .look()
        .await?
        .alerts
        .into_iter()
        .map(|alert| alert.words)
        .collect();
    assert_eq!(words, ["A"]);
    browser.close().await
}

#[tokio::test]
async fn an_alert_keeps_the_form_it_came_on() -> Result<()> {
    let page = Page::open(OTP).await?;
    let goes_on = format!("return toast('Wrong').then(() => mount(`{PIN}`))");
    page.browser.run(&goes_on).await?;
    assert_eq!(
        page.heard_on().await?,
        [Some(Form::Otp)],
        "the page has gone on to the PIN"
    );
    page.show(OTP).await?;
    let goes_on = format!("make('Wrong'); return wait(10).then(() => mount(`{PIN}`))");
    page.browser.run(&goes_on).await?;
    assert_eq!(
        page.heard_on().await?,
        [Some(Form::Otp)],
        "it still stands beside the PIN"
    );
    page.browser.run("toasts.replaceChildren()").await?;
    page.browser.run("mount(''); return toast('Locked')").await?;
    assert_eq!(
        page.heard_on().await?,
        [Some(Form::Pin)],
        "the last form before it"
    );
    page.browser.run("return toast('Wrong')").await?;
    assert_eq!(page.heard_on().await?, [Some(Form::Pin)]);
    page.show("").await?;
    page.browser.run("return toast('Wrong')").await?;
    assert_eq!(
        page.heard_on().await?,
        [None],
        "a new document has heard and seen nothing"
    );
    page.browser.close().await
}
