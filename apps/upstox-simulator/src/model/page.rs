//! How one login's pages behave, settled when its dialog is accepted and unchanged until it ends.

use super::page_options::{BlockAt, Container, Layout, Redirect, RefusalStyle};
use super::scenario::Kind;

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
