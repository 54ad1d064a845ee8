//! The result of the script that examines a page for the evidence of a failed sign-in, and whether a picture of the
//! page may be kept.

use serde::{Deserialize, Serialize};
use url::Url;
use vega_domain::account::RedirectUri;

use crate::redaction::without_numbers;

/// An element that the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Element {
    /// Its kind, such as `input`.
    pub tag: String,
    /// Its id, if it has one.
    pub id: Option<String>,
}

/// What the script in `evidence.js` reports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the marks of a page do not depend on each other"
)]
pub(crate) struct Examination {
    /// The address with code and state; it is never passed on unchanged.
    pub(crate) url: Url,
    pub(crate) elements: Vec<Element>,
    /// There is a box for a second factor, shown or not.
    pub(crate) secret_field: bool,
    /// A box holds what somebody typed.
    pub(crate) holds_text: bool,
    /// The text contains a number that may have been typed.
    pub(crate) tells_number: bool,
    /// A part of the page cannot be examined: a frame, or what an element may hide.
    pub(crate) sealed: bool,
    /// Nobody touched the page since the previous examination.
    pub(crate) undisturbed: bool,
}

impl Examination {
    /// Why there must be no picture of this page.
    pub(crate) fn forbids_a_picture(&self, redirect_uri: &RedirectUri) -> Option<&'static str> {
        let rules = [
            (
                redirect_uri.is_reached_by(&self.url),
                "the address is the app's redirect URI, which carries the code",
            ),
            (
                self.url.scheme() == "chrome-error",
                "the page is the browser's own error page",
            ),
            (self.secret_field, "the page has a box for a second factor"),
            (self.holds_text, "a box of the page holds what was typed"),
            (
                self.tells_number,
                "the page shows a number that may have been typed",
            ),
            (self.sealed, "the page has a part that cannot be looked into"),
        ];
        rules.into_iter().find_map(|(holds, why)| holds.then_some(why))
    }

    pub(crate) fn is_undisturbed_since(&self, before: &Self) -> bool {
        let as_before = Self {
            undisturbed: before.undisturbed,
            ..self.clone()
        };
        self.undisturbed && as_before == *before
    }
}

impl Element {
    pub(crate) fn without_numbers(self) -> Self {
        Self {
            tag: self.tag,
            id: self.id.map(|id| without_numbers(&id)),
        }
    }
}
