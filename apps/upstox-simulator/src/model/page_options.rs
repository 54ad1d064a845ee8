//! The options that scenarios set for a login's pages.

use serde::{Deserialize, Serialize};

/// Which ids and how many documents the login uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Layout {
    /// The known ids, screens swapped by script.
    #[default]
    Single,
    /// The known ids, one document per screen.
    MultiPage,
    /// The screens of `Single` under other ids.
    Changed,
    /// Screens of another making, with nothing on them that a tool could know: plain boxes, other words, no forms.
    Unfamiliar,
}

/// How the page says that it refuses what was typed. Whatever it says, the form is empty again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefusalStyle {
    /// In a toast that is an alert.
    #[default]
    Toast,
    /// In a plain paragraph above the form.
    Words,
    /// Not at all.
    Silence,
    /// In a new document, in a plain paragraph above the form.
    Document,
    /// In a new document, and without a word.
    SilentDocument,
}

/// What the login page is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Container {
    /// The window itself.
    #[default]
    Window,
    /// A frame of a page around it.
    Frame,
    /// A tab that a first page opens.
    Tab,
    /// An open shadow tree.
    Shadow,
}

/// Where the 1010 block page stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BlockAt {
    /// Instead of the login page.
    #[default]
    Page,
    /// Instead of the redirect.
    AfterPin,
}

/// What becomes of the redirect at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Redirect {
    #[default]
    Faithful,
    Never,
    WithoutState,
    WrongState,
}
