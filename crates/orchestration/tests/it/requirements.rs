//! A machine on which everything is there that a sign-in needs, until it lacks something.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use vega_domain::account::RedirectUri;
use vega_domain::ports::{BrowserWindow, SignInRequirements, Unmet};

/// What may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Requirement {
    Key,
    Browser,
    Window,
    Callback,
}

#[derive(Default)]
pub(crate) struct Requirements {
    missing: Mutex<HashSet<Requirement>>,
    opens_links: AtomicBool,
}

impl Requirements {
    pub(crate) fn lack(&self, what: Requirement) {
        self.missing.lock().unwrap().insert(what);
    }

    pub(crate) fn open_links(&self) {
        self.opens_links.store(true, Ordering::Relaxed);
    }

    fn lacks(&self, what: Requirement) -> bool {
        self.missing.lock().unwrap().contains(&what)
    }

    fn look_for(&self, what: Requirement, words: &str) -> Result<(), Unmet> {
        if self.lacks(what) {
            Err(words.into())
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl SignInRequirements for Requirements {
    fn key(&self) -> Result<(), Unmet> {
        self.look_for(Requirement::Key, "the key is gone")
    }

    async fn browser(&self) -> Result<BrowserWindow, Unmet> {
        self.look_for(Requirement::Browser, "no browser")?;
        Ok(if self.lacks(Requirement::Window) {
            BrowserWindow::Headless
        } else {
            BrowserWindow::Shown
        })
    }

    async fn callback(&self, _: &RedirectUri) -> Result<(), Unmet> {
        self.look_for(Requirement::Callback, "the port is taken")
    }

    fn opens_links(&self) -> bool {
        self.opens_links.load(Ordering::Relaxed)
    }
}
