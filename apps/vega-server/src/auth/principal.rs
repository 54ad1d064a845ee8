//! Who sends a request, once authenticated: an access key, a console session, or a program at the local socket.

use std::sync::Arc;

use vega_bootstrap::Vega;
use vega_domain::access::{AccessKey, ConsoleSession};
use vega_domain::secret::SessionSecret;

use crate::auth::local_access::LocalPrincipal;

/// An authenticated caller. Handlers get it as an extension of the request.
#[derive(Debug, Clone)]
pub(crate) enum Principal {
    Key(Arc<AccessKey>),
    Console(ConsoleSession, SessionSecret),
    Local(LocalPrincipal),
}

impl Principal {
    /// Whether it still counts: what goes on for long asks again.
    pub(crate) async fn counts(&self, vega: &Vega) -> bool {
        match self {
            Self::Key(key) => vega.access.key_counts(key.id),
            Self::Console(_, secret) => vega.access.session_counts(secret).await,
            // Rules are read once, at the start.
            Self::Local(_) => true,
        }
    }

    /// Its name in the audit trail and in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Key(key) => format!("access key {}", key.name),
            Self::Console(..) => "the console".into(),
            Self::Local(local) => format!("user {} at the socket", local.uid),
        }
    }
}
