//! Finds the tab in which a sign-in goes on: a page may open another tab, and a form may be in a frame. Each turn looks
//! at every tab, the newest first. The first tab with a screen that Vega knows is used; if there is none, the tab that
//! was used before. A tab that closes itself does not end the sign-in while another one is open.

use fantoccini::Client;
use fantoccini::error::CmdError;
use fantoccini::wd::WindowHandle;
use url::Url;
use vega_domain::ids::MobileNumber;
use vega_domain::sign_in::Screen;

use crate::command::{Trouble, command};
use crate::dialog_answer::Home;
use crate::frames::{self, Way, look_into};
use crate::page_snapshot::{Alert, PageSnapshot};

/// The greatest number of tabs of a sign-in.
const TABS: usize = 6;

/// Where the sign-in was last.
#[derive(Debug, Default)]
pub(crate) struct Tabs {
    /// The tabs in the order in which they opened.
    known: Vec<WindowHandle>,
    current: Option<WindowHandle>,
    /// The tab of the sign-in.
    stands: Option<WindowHandle>,
    frame: Way,
    /// The text of each tab at its last look.
    said: Vec<(WindowHandle, Vec<String>)>,
}

/// The content of one tab.
#[derive(Debug, Clone)]
pub(crate) struct Tab {
    pub(crate) address: Url,
    window: WindowHandle,
}

impl Tabs {
    /// All tabs with their addresses, the newest first.
    pub(crate) async fn open(&mut self, browser: &Client) -> Result<Vec<Tab>, Trouble> {
        let open = command(browser.windows()).await?;
        if open.is_empty() {
            return Err(Trouble::Gone("the window was closed".into()));
        }
        self.known.retain(|window| open.contains(window));
        self.said.retain(|(window, _)| open.contains(window));
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
            match self.address_of(browser, &window).await {
                Ok(address) => tabs.push(Tab { address, window }),
                Err(Trouble::Closed) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        // The next turn tells whether any is left.
        if tabs.is_empty() {
            return Err(Trouble::Closed);
        }
        Ok(tabs)
    }

    async fn address_of(&mut self, browser: &Client, window: &WindowHandle) -> Result<Url, Trouble> {
        self.go_to(browser, window).await?;
        let address = command(browser.current_url()).await;
        if matches!(address, Err(Trouble::Closed)) {
            self.current = None;
        }
        address
    }

    /// Moves the driver to this tab.
    pub(crate) async fn stay_at(&mut self, browser: &Client, tab: &Tab) -> Result<(), Trouble> {
        self.go_to(browser, &tab.window).await
    }

    /// Looks at these tabs, and moves the driver to the one in which the sign-in goes on. If no tab has a screen that
    /// Vega knows, that is the previous tab: a tab that a human opens beside it may show anything.
    pub(crate) async fn look(
        &mut self,
        browser: &Client,
        tabs: &[Tab],
        mobile: &MobileNumber,
        home: &Home,
    ) -> Result<PageSnapshot, Trouble> {
        let is_open = |window: &WindowHandle| tabs.iter().any(|tab| tab.window == *window);
        if !self.stands.as_ref().is_some_and(is_open) {
            // The oldest: it was there before any other.
            self.stands = tabs.last().map(|tab| tab.window.clone());
        }
        let (mut found, mut instead) = (None, None);
        for tab in tabs {
            let window = &tab.window;
            // What an older tab says is known from one look.
            if found.is_some() && self.said_in(window).is_some() {
                continue;
            }
            let (seen, way) = match self.look_at(browser, window, mobile, home).await {
                Ok(looked) => looked,
                Err(Trouble::Closed) => continue,
                Err(trouble) => return Err(trouble),
            };
            if found.is_none() && (tabs.len() == 1 || seen.screen() != Screen::Unknown) {
                found = Some((window, seen, way));
            } else if Some(window) == self.stands.as_ref() {
                instead = Some((window, seen, Way::new()));
            }
        }
        let (window, mut seen, way) = found.or(instead).ok_or(Trouble::Closed)?;
        self.go_to(browser, window).await?;
        self.stands = Some(window.clone());
        self.frame = way;
        // Where this tab closes itself the sign-in goes on in an older one: what that says already is nothing new.
        let older = tabs.iter().skip_while(|tab| tab.window != *window).skip(1);
        for tab in older {
            let said = self.said_in(&tab.window).unwrap_or_default();
            frames::add(&mut seen.lines, said.iter().cloned());
        }
        Ok(seen)
    }

    async fn look_at(
        &mut self,
        browser: &Client,
        window: &WindowHandle,
        mobile: &MobileNumber,
        home: &Home,
    ) -> Result<(PageSnapshot, Way), Trouble> {
        self.go_to(browser, window).await?;
        let mut looked = look_into(browser, window, mobile, home).await;
        match &mut looked {
            Ok((seen, _)) => {
                let words_of =
                    |alert: &Alert| alert.words.lines().map(|line| line.trim().to_owned()).collect();
                let alerts: Vec<Vec<String>> = seen.alerts.iter().map(words_of).collect();
                if seen.screen() == Screen::Unknown {
                    // What stood beside a form that is gone for the moment, or in a window behind it, does not answer it.
                    let known = self.said_in(window).unwrap_or_default();
                    let is_old = |words: &Vec<String>| words.iter().all(|line| known.contains(line));
                    let mut old = alerts.iter().map(is_old);
                    seen.alerts
                        .retain(|alert| !old.next().unwrap_or_default() || alert.form.is_some());
                }
                let mut lines = Vec::new();
                if !seen.foreign {
                    frames::add(&mut lines, seen.lines.iter().cloned().chain(alerts.concat()));
                }
                self.said.retain(|(known, _)| known != window);
                self.said.push((window.clone(), lines));
            }
            // It may stand in a frame.
            Err(_) => self.current = None,
        }
        looked
    }

    fn said_in(&self, window: &WindowHandle) -> Option<&[String]> {
        let mut said = self.said.iter();
        let said = said.find(|(known, _)| known == window);
        said.map(|(_, lines)| &**lines)
    }

    /// Closes the tabs of earlier sign-ins except one, and moves there: the earlier sign-ins may have ended in a tab
    /// that is gone.
    pub(crate) async fn only_one(browser: &Client) -> Result<(), Trouble> {
        let open = command(browser.windows()).await?;
        let Some((last, others)) = open.split_last() else {
            return Err(Trouble::Gone("the window was closed".into()));
        };
        for window in others {
            let closed = async {
                command(browser.switch_to_window(window.clone())).await?;
                command(browser.close_window()).await
            };
            match closed.await {
                Ok(()) | Err(Trouble::Closed) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        command(browser.switch_to_window(last.clone())).await
    }

    /// Acts in the frame with the form, and returns to the page, whether the action worked or not.
    pub(crate) async fn act(
        &mut self,
        browser: &Client,
        action: impl Future<Output = Result<(), CmdError>>,
    ) -> Result<(), Trouble> {
        let inside = self.current.clone().filter(|_| !self.frame.is_empty());
        let Some(window) = inside else {
            return command(action).await;
        };
        let acted = match frames::enter(browser, &self.frame).await {
            Ok(()) => command(action).await,
            Err(trouble) => Err(trouble),
        };
        if frames::leave(browser, &window).await.is_err() {
            // The next look goes there anew, and tells what is wrong.
            self.current = None;
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

#[cfg(test)]
mod tests;
