//! Finds where a sign-in goes on: a page may open another tab, and a form may stand in a frame. Each turn looks at every
//! tab, the newest first; the first with a screen that Vega knows is the one that is gone on with, else the one before.

use fantoccini::Client;
use fantoccini::error::CmdError;
use fantoccini::wd::WindowHandle;
use url::Url;
use vega_domain::ids::MobileNumber;
use vega_domain::sign_in::Screen;

use crate::dialog_answer::Home;
use crate::login_page::LoginPage;
use crate::session::{Trouble, command};
use crate::sighting::Sighting;

/// More tabs than these are no sign-in.
const TABS: usize = 6;
/// Nor more frames in one page, and frames in frames in frames.
const FRAMES: usize = 4;
const DEPTH: usize = 2;

/// Where the sign-in stood last.
#[derive(Debug, Default)]
pub(crate) struct Tabs {
    /// In the order in which they opened.
    known: Vec<WindowHandle>,
    current: Option<WindowHandle>,
    /// The tab in which the sign-in stands.
    stands: Option<WindowHandle>,
    frame: Vec<u16>,
}

/// What one tab shows.
#[derive(Debug, Clone)]
pub(crate) struct Tab {
    pub(crate) address: Url,
    window: WindowHandle,
}

impl Tabs {
    /// All tabs with their addresses, the newest first.
    pub(crate) async fn open(&mut self, browser: &Client) -> Result<Vec<Tab>, Trouble> {
        let open = command(browser.windows()).await?;
        self.known.retain(|window| open.contains(window));
        let new: Vec<_> = open
            .into_iter()
            .filter(|window| !self.known.contains(window))
            .collect();
        self.known.extend(new);
        if self
            .current
            .as_ref()
            .is_some_and(|current| !self.known.contains(current))
        {
            self.current = None;
        }
        let mut tabs = Vec::new();
        for window in self.known.clone().into_iter().rev().take(TABS) {
            self.go_to(browser, &window).await?;
            let address = command(browser.current_url()).await?;
            tabs.push(Tab { address, window });
        }
        if tabs.is_empty() {
            return Err(Trouble::Gone("the window was closed".into()));
        }
        Ok(tabs)
    }

    /// Stays at this tab.
    pub(crate) async fn stay_at(&mut self, browser: &Client, tab: &Tab) -> Result<(), Trouble> {
        self.go_to(browser, &tab.window).await
    }

    /// Looks at these tabs, and stays where the sign-in goes on. Where no tab has a screen that Vega knows, that is where it
    /// stood: a tab that a human opens beside it may show anything.
    pub(crate) async fn look(
        &mut self,
        browser: &Client,
        tabs: &[Tab],
        mobile: &MobileNumber,
        home: &Home,
    ) -> Result<Sighting, Trouble> {
        let is_open = |window: &WindowHandle| tabs.iter().any(|tab| tab.window == *window);
        if !self.stands.as_ref().is_some_and(is_open) {
            // The oldest: it was there before any other.
            self.stands = tabs.last().map(|tab| tab.window.clone());
        }
        let mut instead = None;
        for tab in tabs {
            self.go_to(browser, &tab.window).await?;
            let (seen, frame) = look_into(browser, mobile, home).await?;
            if tabs.len() == 1 || seen.screen() != Screen::Unknown {
                self.frame = frame;
                self.stands = Some(tab.window.clone());
                return Ok(seen);
            }
            if Some(&tab.window) == self.stands.as_ref() {
                instead = Some((tab.window.clone(), seen));
            }
        }
        self.frame.clear();
        match instead {
            Some((window, seen)) => {
                self.go_to(browser, &window).await?;
                Ok(seen)
            }
            None => Err(Trouble::Gone("the window was closed".into())),
        }
    }

    /// Closes what earlier sign-ins left open besides the tab that stands.
    pub(crate) async fn only_one(browser: &Client) -> Result<(), Trouble> {
        let open = command(browser.windows()).await?;
        let (Some(last), true) = (open.last(), open.len() > 1) else {
            return Ok(());
        };
        for window in &open[..open.len() - 1] {
            command(browser.switch_to_window(window.clone())).await?;
            command(browser.close_window()).await?;
        }
        command(browser.switch_to_window(last.clone())).await
    }

    /// Acts in the frame in which the form stands, and comes back.
    pub(crate) async fn act(
        &self,
        browser: &Client,
        action: impl Future<Output = Result<(), CmdError>>,
    ) -> Result<(), Trouble> {
        for frame in &self.frame {
            command(browser.enter_frame(*frame)).await?;
        }
        let acted = command(action).await;
        for _ in &self.frame {
            // The page may have left with its frames; then there is nothing to come back from.
            let _ = command(browser.enter_parent_frame()).await;
        }
        acted
    }

    async fn go_to(&mut self, browser: &Client, window: &WindowHandle) -> Result<(), Trouble> {
        if self.current.as_ref() != Some(window) {
            command(browser.switch_to_window(window.clone())).await?;
            self.current = Some(window.clone());
        }
        Ok(())
    }
}

/// The page, or the frame of it that holds a form.
async fn look_into(
    browser: &Client,
    mobile: &MobileNumber,
    home: &Home,
) -> Result<(Sighting, Vec<u16>), Trouble> {
    let mut seen = look_once(browser, mobile, home).await?;
    if seen.screen() != Screen::Unknown || seen.foreign {
        return Ok((seen, Vec::new()));
    }
    let mut ways: Vec<Vec<u16>> = seen.frames.iter().take(FRAMES).map(|at| vec![*at]).collect();
    while let Some(way) = ways.pop() {
        let inner = look_by(browser, &way, mobile, home).await;
        // A frame that went away in between is no trouble.
        let Ok(inner) = inner else { continue };
        if inner.screen() != Screen::Unknown {
            return Ok((inner, way));
        }
        if inner.foreign {
            continue;
        }
        if way.len() < DEPTH {
            let deeper = inner.frames.iter().take(FRAMES);
            ways.extend(deeper.map(|at| [&way[..], &[*at]].concat()));
        }
        seen.lines.extend(inner.lines);
        seen.alerts.extend(inner.alerts);
        seen.locked = seen.locked.or(inner.locked);
    }
    Ok((seen, Vec::new()))
}

async fn look_by(
    browser: &Client,
    way: &[u16],
    mobile: &MobileNumber,
    home: &Home,
) -> Result<Sighting, Trouble> {
    let mut entered = 0;
    let mut seen = Err(Trouble::Passing("no frame".into()));
    for at in way {
        match command(browser.enter_frame(*at)).await {
            Ok(()) => entered += 1,
            Err(trouble) => {
                seen = Err(trouble);
                break;
            }
        }
    }
    if entered == way.len() {
        seen = look_once(browser, mobile, home).await;
    }
    for _ in 0..entered {
        let _ = command(browser.enter_parent_frame()).await;
    }
    seen
}

async fn look_once(browser: &Client, mobile: &MobileNumber, home: &Home) -> Result<Sighting, Trouble> {
    let mut seen = command(LoginPage::new(browser).look(mobile)).await?;
    seen.foreign = !home.has(&seen.answer.host);
    Ok(seen)
}
