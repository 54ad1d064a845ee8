//! The two kinds of token, as the server names them. Which one a program needs is its own to say.

use serde::Serialize;

/// Which token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The API's own.
    Trade,
    /// The analytics token of its account.
    Read,
}

impl Kind {
    /// What stands behind the path. Servers that know one kind alone are asked as before.
    pub(crate) fn query(self) -> &'static str {
        match self {
            Self::Trade => "",
            Self::Read => "?kind=read",
        }
    }

    /// What a report says of it.
    pub(crate) fn told(self) -> Option<Self> {
        (self != Self::Trade).then_some(self)
    }
}
