//! A browser of the operator's own: a window that `vega` knows nothing of, and the program that opens links in it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

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

/// The desk's `xdg-open`, which opens nothing and writes down what it should have opened.
pub struct Opener(PathBuf);

impl Opener {
    /// Puts it on the desk's path.
    pub fn at(desk: &mut Desk) -> Result<Self> {
        let folder = desk.path().join("bin");
        std::fs::create_dir(&folder)?;
        let (program, opened) = (folder.join("xdg-open"), folder.join("opened"));
        let script = format!("#!/bin/sh\necho \"$1\" >> {}\n", opened.display());
        std::fs::write(&program, script)?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700))?;
        desk.set("PATH", &format!("{}:/usr/bin:/bin", folder.display()));
        Ok(Self(opened))
    }

    /// What it was given so far, oldest first.
    pub fn addresses(&self) -> Vec<String> {
        let written = std::fs::read_to_string(&self.0).unwrap_or_default();
        // The last line may still be on its way.
        let lines = written.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        // A browser is given a file, and shows it by its address.
        let address = |line: &str| match line.trim() {
            path if path.starts_with('/') => format!("file://{path}"),
            address => address.to_owned(),
        };
        lines.map(address).collect()
    }

    /// Where a file leads that was opened; `None` if it is gone.
    pub fn leads_to(address: &str) -> Option<String> {
        let page = std::fs::read_to_string(address.strip_prefix("file://")?).ok()?;
        let (_, rest) = page.split_once("href=\"")?;
        let (link, _) = rest.split_once('"')?;
        Some(link.replace("&#38;", "&").replace("&amp;", "&"))
    }

    /// Waits for the next one after so many.
    pub async fn address_after(&self, known: usize) -> Result<String> {
        until(async || self.addresses().len() > known).await;
        let address = self.addresses().into_iter().nth(known);
        address.context("nothing was opened")
    }
}

/// The last link that a terminal shows for the operator's own browser.
pub fn link_in(shown: &str) -> Result<String> {
    let begins = shown.rfind("http://127.0.0.1:").context("no link is shown")?;
    let rest = &shown[begins..];
    let ends = rest.find(char::is_whitespace).unwrap_or(rest.len());
    Ok(rest[..ends].to_owned())
}
