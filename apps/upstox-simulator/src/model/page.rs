//! How one login's pages behave, settled when its dialog is accepted and unchanged until it ends.

use serde::{Deserialize, Serialize};

use super::scenario::Kind;

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

/// All of it for one login.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PageBehaviour {
    pub(crate) layout: Layout,
    pub(crate) refusal: RefusalStyle,
    pub(crate) container: Container,
    pub(crate) challenge: bool,
    pub(crate) consent: bool,
    pub(crate) slow_ms: u64,
    pub(crate) redirect: Redirect,
    pub(crate) block: Option<BlockAt>,
    pub(crate) repeats_entry: bool,
    pub(crate) added_words: Option<String>,
}

impl PageBehaviour {
    /// Whether a document that is loaded goes on where the login stands.
    pub(crate) fn has_a_document_per_screen(&self) -> bool {
        let refuses_anew = matches!(
            self.refusal,
            RefusalStyle::Document | RefusalStyle::SilentDocument
        );
        self.layout == Layout::MultiPage || refuses_anew
    }

    /// Reads the page scenarios taken for this login.
    pub(crate) fn of(kinds: &[Kind]) -> PageBehaviour {
        let mut behaviour = PageBehaviour::default();
        for kind in kinds {
            match kind {
                Kind::Layout { layout } => behaviour.layout = *layout,
                Kind::RefusalStyle { style } => behaviour.refusal = *style,
                Kind::Container { container } => behaviour.container = *container,
                Kind::Challenge {} => behaviour.challenge = true,
                Kind::Consent {} => behaviour.consent = true,
                Kind::SlowPage { ms } => behaviour.slow_ms += ms,
                Kind::NeverRedirect {} => behaviour.redirect = Redirect::Never,
                Kind::RedirectWithoutState {} => behaviour.redirect = Redirect::WithoutState,
                Kind::RedirectWrongState {} => behaviour.redirect = Redirect::WrongState,
                Kind::RepeatEntry {} => behaviour.repeats_entry = true,
                Kind::AddWords { words } => behaviour.added_words = Some(words.clone()),
                Kind::CloudflareHtml { at } => behaviour.block = Some(*at),
                _ => {}
            }
        }
        behaviour
    }
}
