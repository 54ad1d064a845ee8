//! A browser of the operator's own: a window that `vega` knows nothing of.

use anyhow::{Context, Result};

use crate::desk::Desk;
use crate::processes::until;
use crate::window::Window;

/// The operator's own browser, with one window.
pub struct OwnBrowser(Window);

impl OwnBrowser {
    /// Opens it at this desk.
    pub async fn at(desk: &Desk) -> Result<Self> {
        let window = Window::driven_at(desk).await?;
        window.appear().await?;
        Ok(Self(window))
    }

    /// Opens an address.
    pub async fn go_to(&self, address: &str) -> Result<()> {
        self.0.open(address).await
    }

    /// Loads the page again.
    pub async fn reload(&self) -> Result<()> {
        self.0.reload().await
    }

    /// Waits until it has arrived at an address that begins so; returns the whole.
    pub async fn until_at(&self, beginning: &str) -> Result<String> {
        let there = async || self.0.address().await.is_ok_and(|at| at.starts_with(beginning));
        let arrived = until(there).await;
        let at = self.0.address().await?;
        anyhow::ensure!(arrived, "still at {at}");
        Ok(at)
    }

    /// Waits until its page says this.
    pub async fn until_it_says(&self, words: &str) -> Result<()> {
        let says = async || self.0.text().await.is_ok_and(|text| text.contains(words));
        let said = until(says).await;
        anyhow::ensure!(said, "it says {:?}", self.0.text().await);
        Ok(())
    }

    /// Closes it, and whatever it started.
    pub async fn end(self) -> Result<()> {
        self.0.end().await
    }
}

/// The last link that a terminal shows for the operator's own browser.
pub fn link_in(shown: &str) -> Result<String> {
    let begins = shown.rfind("http://127.0.0.1:").context("no link is shown")?;
    let rest = &shown[begins..];
    let ends = rest.find(char::is_whitespace).unwrap_or(rest.len());
    Ok(rest[..ends].to_owned())
}
