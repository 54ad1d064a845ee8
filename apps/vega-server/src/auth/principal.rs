//! Who sends a request, once authenticated: an access key, a console session, or a program at the local socket.

use std::sync::Arc;

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
    /// Its name in the audit trail and in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Key(key) => format!("access key {}", key.name),
            Self::Console(..) => "the console".into(),
            Self::Local(local) => format!("user {} at the socket", local.uid),
        }
    }
}
