//! Keeps the evidence of a failed sign-in, so that somebody can see afterwards what the page was like: cause, screens
//! with their times, element ids, and a picture only if nothing typed can be on it. Evidence never changes the failure:
//! what cannot be kept is a warning. When an attempt has failed is decided elsewhere.

mod folder;
mod kept;
mod store;

use std::future::Future;
use std::io;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use fantoccini::Client;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use url::Url;
use vega_domain::account::RedirectUri;
use vega_domain::expiry::in_ist;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, ApiName, MobileNumber};
use vega_domain::sign_in::Screen;

use self::folder::EvidenceFolder;
pub use self::store::FileEvidenceStore;
use crate::command::{Trouble, command};
use crate::examination::{Element, Examination};
use crate::login_page::LoginPage;
use crate::redaction::without_numbers;

/// The human waits for the window to close, and after a refusal it must close before they type again.
const TIME_LIMIT: Duration = Duration::from_secs(3);
/// The number of screens that are recorded; a page may go to and fro for ever.
const SCREENS: usize = 100;

/// The screens of one attempt in the order in which they were seen.
#[derive(Debug)]
pub(crate) struct Timeline {
    began: Instant,
    seen: Vec<(Screen, Duration)>,
}

impl Timeline {
    /// The screens of an attempt that begins now, before any page.
    pub(crate) fn begin(now: Instant) -> Self {
        Self {
            began: now,
            seen: vec![(Screen::Unknown, Duration::ZERO)],
        }
    }

    /// Notes the current screen, if it differs from the last one.
    pub(crate) fn note(&mut self, screen: Screen, now: Instant) {
        if self.screen() != screen && self.seen.len() < SCREENS {
            self.seen.push((screen, now - self.began));
        }
    }

    fn screen(&self) -> Screen {
        self.seen.last().map_or(Screen::Unknown, |(screen, _)| *screen)
    }
}

/// A sign-in that failed.
#[derive(Debug)]
pub(crate) struct FailedSignIn {
    pub(crate) account: AccountId,
    pub(crate) mobile: MobileNumber,
    pub(crate) api: ApiName,
    pub(crate) redirect_uri: RedirectUri,
    pub(crate) failure: Failure,
    pub(crate) timeline: Timeline,
    /// How long it took.
    pub(crate) after: Duration,
    /// When it failed, which is before its failure was stored.
    pub(crate) at: DateTime<Utc>,
}

/// Keeps in `folder` what is known about a failure.
pub(crate) async fn keep(folder: &Path, browser: &Client, failed: &FailedSignIn) {
    let reason = failed.failure.reason;
    if reason == FailureReason::Cancelled {
        return;
    }
    let page = if reason == FailureReason::BrowserGone {
        PageEvidence::none("the browser is gone")
    } else {
        let until = Instant::now() + TIME_LIMIT;
        PageEvidence::gather(browser, &failed.mobile, &failed.redirect_uri, until).await
    };
    if let Err(error) = write(folder, failed, page) {
        tracing::warn!(
            "no evidence of the failed sign-in for {} could be kept in {}: {error}. See that the folder exists and that \
             the disk has room",
            failed.api,
            folder.display()
        );
    }
}

fn write(folder: &Path, failed: &FailedSignIn, page: PageEvidence) -> io::Result<()> {
    let folder = EvidenceFolder(folder);
    let reason = failed.failure.reason;
    let mut places = folder.take(failed.at, &failed.api, reason)?;
    let (screenshot, withheld) = match page.picture {
        Ok(png) => match places.picture(&png) {
            Ok(name) => (Some(name), None),
            Err(_) => (None, Some("the picture could not be written")),
        },
        Err(why) => (None, Some(why)),
    };
    let record = Record {
        v: 1,
        at: in_ist(failed.at).to_rfc3339_opts(SecondsFormat::Millis, false),
        api: failed.api.as_str(),
        account: failed.account.as_str(),
        reason: reason.code(),
        detail: without_numbers(&failed.failure.detail),
        after_ms: failed.after.as_millis(),
        screen: failed.timeline.screen().as_str(),
        screens: failed.timeline.seen.iter().map(Step::from).collect(),
        address: page.address,
        elements: page.elements,
        screenshot,
        screenshot_withheld: withheld,
    };
    places.record(&serde_json::to_vec_pretty(&record)?)?;
    folder.prune(places.stem())
}

/// The contents of the record. Fields are only ever added.
#[derive(Debug, Serialize)]
struct Record<'a> {
    v: u8,
    at: String,
    api: &'a str,
    account: &'a str,
    reason: &'static str,
    detail: String,
    after_ms: u128,
    screen: &'static str,
    screens: Vec<Step>,
    address: Option<String>,
    elements: Vec<Element>,
    screenshot: Option<String>,
    screenshot_withheld: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Step {
    screen: &'static str,
    after_ms: u128,
}

impl From<&(Screen, Duration)> for Step {
    fn from((screen, after): &(Screen, Duration)) -> Self {
        Self {
            screen: screen.as_str(),
            after_ms: after.as_millis(),
        }
    }
}

/// What is known about a page without anything that was typed there.
#[derive(Debug)]
pub struct PageEvidence {
    /// Scheme, host and path. Query and fragment carry code and state.
    pub address: Option<String>,
    /// The elements that the page shows, at most a hundred.
    pub elements: Vec<Element>,
    /// A picture of it, or why there is none.
    pub picture: Result<Vec<u8>, &'static str>,
}

impl PageEvidence {
    fn none(why: &'static str) -> Self {
        Self {
            address: None,
            elements: Vec::new(),
            picture: Err(why),
        }
    }

    /// Collects the facts from what `browser` shows, within the time limit.
    pub async fn gather(
        browser: &Client,
        mobile: &MobileNumber,
        redirect_uri: &RedirectUri,
        until: Instant,
    ) -> Self {
        let page = LoginPage::new(browser);
        let examined = in_time(until, page.examine(mobile)).await;
        let before = match examined {
            Ok(examined) => examined,
            Err(why) => return Self::none(why),
        };
        let picture = match before.forbids_a_picture(redirect_uri) {
            Some(why) => Err(why),
            None => picture(browser, mobile, &before, until).await,
        };
        Self {
            address: Some(address(&before.url)),
            elements: before
                .elements
                .into_iter()
                .map(Element::without_numbers)
                .collect(),
            picture,
        }
    }
}

/// A picture of the page as it was examined. If somebody types while it is taken, the picture is thrown away.
async fn picture(
    browser: &Client,
    mobile: &MobileNumber,
    before: &Examination,
    until: Instant,
) -> Result<Vec<u8>, &'static str> {
    let png = in_time(until, browser.screenshot()).await?;
    let page = LoginPage::new(browser);
    let after = in_time(until, page.examine(mobile)).await?;
    if after.is_undisturbed_since(before) {
        Ok(png)
    } else {
        Err("the page changed while the picture was taken")
    }
}

async fn in_time<T>(
    until: Instant,
    asked: impl Future<Output = Result<T, fantoccini::error::CmdError>>,
) -> Result<T, &'static str> {
    match timeout_at(until, command(asked)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Trouble::Passing(_) | Trouble::Said(_) | Trouble::Closed)) => {
            Err("the page could not be examined")
        }
        Ok(Err(Trouble::Gone(_) | Trouble::Silent)) => Err("the browser is gone"),
        Err(_) => Err("the browser did not answer in time"),
    }
}

/// Scheme, host and path of an address; of an address without a host, such as `data:`, only the scheme.
fn address(url: &Url) -> String {
    const LONGEST: usize = 200;
    let Some(host) = url.host_str() else {
        return format!("{}:", url.scheme());
    };
    let path: String = url.path().chars().take(LONGEST).collect();
    format!("{}://{host}{}", url.scheme(), without_numbers(&path))
}

#[cfg(test)]
mod tests;
