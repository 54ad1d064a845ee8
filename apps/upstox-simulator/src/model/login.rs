//! A login under way: which screen it shows and what may come next. How it moves is decided in `login_steps`.

use serde::Serialize;

use super::{accounts::AppRef, page::PageBehaviour};

/// A login under way.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) app: AppRef,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) browser: String,
    pub(crate) behaviour: PageBehaviour,
    pub(crate) challenge_solved: bool,
    /// Where a reload begins again.
    pub(crate) first: Stage,
    pub(crate) stage: Stage,
}

/// The screen that stands, with what it already knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Mobile,
    Otp { account: usize },
    Pin { account: usize },
    Consent { account: usize },
    Done,
}

/// What the page shows next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "screen", rename_all = "snake_case")]
pub(crate) enum NextScreen {
    Mobile,
    Otp {
        masked_mobile: String,
    },
    Pin,
    Consent,
    /// Leave for the redirect URI; without one the page waits for ever.
    Redirect {
        location: Option<String>,
    },
    /// The 1010 block page.
    Blocked,
}

/// What a dialog that was accepted leads to.
#[derive(Debug)]
pub(crate) enum Opened {
    /// The login page of this transaction.
    Page { transaction: String },
    /// The login cookie was enough: straight to the redirect URI.
    Through { location: String },
}

/// Which app asks, with which state, from which browser.
#[derive(Debug)]
pub(crate) struct DialogRequest<'a> {
    pub(crate) app: AppRef,
    pub(crate) state: Option<String>,
    pub(crate) browser: &'a str,
    pub(crate) login_cookie: Option<&'a str>,
}
