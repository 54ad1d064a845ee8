//! Who sends a request, once authenticated: an access key, a console session, or a program at the local socket. Also which consumer that is:
//! its identity comes from the key or the kernel, and what it calls itself is only shown.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use vega_api_types::ProblemCode;
use vega_bootstrap::Vega;
use vega_domain::access::{AccessKey, ConsoleSession, Scope};
use vega_domain::consumer::{AccessPath, Consumer, ConsumerIdentity};
use vega_domain::expiry::in_ist;
use vega_domain::ids::ConsumerName;
use vega_domain::secret::SessionSecret;

use crate::auth::local_access::LocalPrincipal;
use crate::http::problem::Problem;

/// What a program calls itself.
static OWN_NAME: HeaderName = HeaderName::from_static("x-vega-consumer");

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
        if let Some(stopped) = self.stopped(vega) {
            return Err(stopped);
        }
        let (counts, words) = match self {
            Self::Key(key) => (
                vega.access.key_counts(key.id),
                "This access key was revoked, or has expired. `vega key list` shows those that count.",
            ),
            Self::Console(_, secret) => (
                vega.access.session_counts(secret).await,
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

    /// Whether it has this scope.
    pub(crate) fn may(&self, needed: &Scope) -> bool {
        match self {
            Self::Key(key) => key.may(needed),
            Self::Local(local) => local.may(needed),
            Self::Console(..) => false,
        }
    }

    /// That it may not do what one of these scopes allows, none where only the console may; and what lets it.
    pub(crate) fn not_allowed(&self, scopes: &[String]) -> Problem {
        let words = match self {
            Self::Key(key) => match scopes {
                [] => format!(
                    "No access key may do this, so {} may not: only the console may.",
                    key.name
                ),
                [first, ..] => format!(
                    "The access key {} lacks the scope for this: {}. `vega key add NAME --scope {first}` makes one that has it.",
                    key.name,
                    scopes.join(" or ")
                ),
            },
            Self::Console(..) => "The console may not do this; a program with an access key may.".into(),
            Self::Local(local) => format!(
                "User {} may not do this at the socket. A [[socket]] rule in vega.toml lets other users read; an access key may do \
                 more.",
                local.uid
            ),
        };
        Problem::new(ProblemCode::NotAllowed, words)
    }

    /// Its name in the audit trail and in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Key(key) => format!("access key {}", key.name),
            Self::Console(..) => "the console".into(),
            Self::Local(local) => format!("user {} at the socket", local.uid),
        }
    }

    /// The consumer that sends these headers; `None` for the console, which gets no token. A name that cannot be one is left out: for a
    /// name nobody goes without a token.
    pub(crate) fn consumer(&self, headers: &HeaderMap, access_path: AccessPath) -> Option<Consumer> {
        let identity_name = match self {
            Self::Key(key) => key.name.to_string(),
            Self::Local(local) => local.program.name(),
            Self::Console(..) => return None,
        };
        let own_name = headers.get(&OWN_NAME).and_then(|name| name.to_str().ok());
        Some(Consumer {
            identity: self.identity()?,
            identity_name,
            own_name: own_name.and_then(|name| ConsumerName::new(name).ok()),
            access_path,
        })
    }

    /// Why the operator lets it do nothing, if so.
    pub(crate) fn stopped(&self, vega: &Vega) -> Option<Problem> {
        let stop = vega.consumers.stop_of(&self.identity()?)?;
        let because = if stop.reason.is_empty() { "" } else { ": " };
        let words = format!(
            "The operator stopped {} at {} IST{because}{}. `vega consumers open {}` opens it again.",
            self.name(),
            in_ist(stop.since).format("%d %b %H:%M"),
            stop.reason.trim_end_matches('.'),
            stop.name,
        );
        Some(Problem::new(ProblemCode::ConsumerStopped, words))
    }

    fn identity(&self) -> Option<ConsumerIdentity> {
        match self {
            Self::Key(key) => Some(ConsumerIdentity::Key(key.id)),
            Self::Local(local) => Some(ConsumerIdentity::Program(local.program.clone())),
            Self::Console(..) => None,
        }
    }
}
