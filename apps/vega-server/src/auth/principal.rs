//! Who sends a request, once authenticated: an access key or a console session.

use std::sync::Arc;

use vega_domain::access::{AccessKey, ConsoleSession};
use vega_domain::secret::SessionSecret;

/// An authenticated caller. Handlers get it as an extension of the request.
#[derive(Debug, Clone)]
pub(crate) enum Principal {
    Key(Arc<AccessKey>),
    Console(ConsoleSession, SessionSecret),
}

impl Principal {
    /// Its name in the audit trail and in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Key(key) => format!("access key {}", key.name),
            Self::Console(..) => "the console".into(),
        }
    }
}
