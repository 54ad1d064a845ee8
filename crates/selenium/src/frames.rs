//! Looks at one tab: at its page and at the frames in it. The form may be in any of them. Of the other frames only the
//! text is used, and is reported beside the form as if it stood in the same document. Frames of other hosts are
//! ignored.

use std::collections::VecDeque;

use fantoccini::Client;
use fantoccini::wd::WindowHandle;
use vega_domain::ids::MobileNumber;
use vega_domain::sign_in::Screen;

use crate::command::{Trouble, command};
use crate::dialog_answer::Home;
use crate::login_page::LoginPage;
use crate::page_snapshot::PageSnapshot;

/// The greatest number of frames, and depth of frames, that a page of a sign-in has.
const FRAMES: usize = 4;
const DEPTH: usize = 2;

/// The path to a document: the numbers of the frames, from the page inwards.
pub(crate) type Way = Vec<u16>;

/// A snapshot of the page in this tab with all its frames, and the path to the frame in which the sign-in goes on.
/// Afterwards the driver is at the page; after trouble it may be in any frame.
pub(crate) async fn look_into(
    browser: &Client,
    window: &WindowHandle,
    mobile: &MobileNumber,
    home: &Home,
) -> Result<(PageSnapshot, Way), Trouble> {
    let page = look_once(browser, mobile, home).await?;
    let mut ways: VecDeque<_> = if page.foreign {
        VecDeque::new()
    } else {
        further(&[], &page).collect()
    };
    let mut beside = Vec::new();
    while let Some(way) = ways.pop_front() {
        match look_by(browser, window, &way, mobile, home).await {
            Ok(inner) if inner.foreign => {}
            Ok(inner) => {
                if way.len() < DEPTH {
                    ways.extend(further(&way, &inner));
                }
                beside.push((inner, way));
            }
            // A frame that went away in between is no trouble.
            Err(Trouble::Passing(_)) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(together(page, beside))
}

fn further(way: &[u16], seen: &PageSnapshot) -> impl Iterator<Item = Way> {
    let frames = seen.frames.iter().take(FRAMES);
    frames.map(move |at| [way, &[*at]].concat())
}

/// Looks into one frame, and returns to the page whatever happens there.
async fn look_by(
    browser: &Client,
    window: &WindowHandle,
    way: &[u16],
    mobile: &MobileNumber,
    home: &Home,
) -> Result<PageSnapshot, Trouble> {
    let seen = match enter(browser, way).await {
        Ok(()) => look_once(browser, mobile, home).await,
        Err(trouble) => Err(trouble),
    };
    match (seen, leave(browser, window).await) {
        // What the page said is heard once.
        (Err(said @ Trouble::Said(_)), _) => Err(said),
        (seen, left) => left.and(seen),
    }
}

/// Moves the driver from the page into a frame.
pub(crate) async fn enter(browser: &Client, way: &[u16]) -> Result<(), Trouble> {
    for at in way {
        command(browser.enter_frame(*at)).await?;
    }
    Ok(())
}

/// Moves the driver back to the page from any frame, also from one that is gone, and closes a dialog of the browser.
pub(crate) async fn leave(browser: &Client, window: &WindowHandle) -> Result<(), Trouble> {
    command(browser.switch_to_window(window.clone())).await
}

async fn look_once(browser: &Client, mobile: &MobileNumber, home: &Home) -> Result<PageSnapshot, Trouble> {
    let mut seen = command(LoginPage::new(browser).look(mobile)).await?;
    seen.foreign = !home.has(&seen.answer.host);
    Ok(seen)
}

/// Combines a page and its frames into one snapshot: that of the document in which the sign-in goes on, with the text
/// of the others.
fn together(page: PageSnapshot, beside: Vec<(PageSnapshot, Way)>) -> (PageSnapshot, Way) {
    let mut stands = (page, Way::new());
    let mut others = Vec::new();
    for mut other in beside {
        if importance(&other.0) > importance(&stands.0) {
            std::mem::swap(&mut stands, &mut other);
        }
        others.push(other.0);
    }
    let (mut seen, way) = stands;
    for other in others {
        hear(&mut seen, other);
    }
    (seen, way)
}

/// The rank of a document: the sign-in goes on in the one with the form, and with several forms in the furthest one, as
/// on one page.
fn importance(seen: &PageSnapshot) -> u8 {
    if seen.pin.is_some() {
        5
    } else if seen.otp.is_some() {
        4
    } else if seen.mobile.is_some() {
        3
    } else {
        match seen.screen() {
            Screen::Challenge => 2,
            Screen::Consent => 1,
            _ => 0,
        }
    }
}

fn hear(seen: &mut PageSnapshot, beside: PageSnapshot) {
    if seen.screen() == Screen::Unknown {
        seen.alerts.extend(beside.alerts);
    } else {
        // An alert elsewhere does not know the form that it answers; as words it is compared with those before the submit.
        let words = beside.alerts.iter().flat_map(|alert| alert.words.lines());
        add(&mut seen.lines, words.map(|line| line.trim().to_owned()));
    }
    add(&mut seen.lines, beside.lines);
    seen.challenge |= beside.challenge;
    if seen.locked.is_none() {
        seen.locked = beside.locked;
    }
}

/// Adds the lines that are not yet in the list.
pub(crate) fn add(lines: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    for line in more {
        if !line.is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
    }
}

#[cfg(test)]
mod tests;
