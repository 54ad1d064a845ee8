//! Who sends a request, once authenticated: an access key, a console session, or a program at the local socket.

use std::sync::Arc;

use vega_api_types::ProblemCode;
use vega_bootstrap::Vega;
use vega_domain::access::{AccessKey, ConsoleSession};
use vega_domain::secret::SessionSecret;

use crate::auth::local_access::LocalPrincipal;
use crate::http::problem::Problem;

/// An authenticated caller. Handlers get it as an extension of the request.
#[derive(Debug, Clone)]
pub(crate) enum Principal {
    Key(Arc<AccessKey>),
    Console(ConsoleSession, SessionSecret),
    Local(LocalPrincipal),
}

impl Principal {
    /// Whether it still counts, and why not: what goes on for long asks again.
    pub(crate) async fn counts(&self, vega: &Vega) -> Result<(), Problem> {
        let access = &vega.access;
        let (counts, words) = match self {
            Self::Key(key) => (
                access.key_counts(key.id),
                "This access key was revoked, or has expired. `vega key list` shows those that count.",
            ),
            Self::Console(_, secret) => (
                access.session_counts(secret).await,
                "The console's session is over. Run `vega console` and open the link that it prints.",
            ),
            // Rules are read once, at the start.
            Self::Local(_) => return Ok(()),
        };
        if counts {
            return Ok(());
        }
        Err(Problem::new(ProblemCode::NotSignedIn, words))
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
