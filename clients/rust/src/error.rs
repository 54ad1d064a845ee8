//! Why there is no token. Each variant is another thing for the program to do; the words are for people, and say what to do next.

use std::time::{Duration, SystemTime};

use crate::token::Generation;

/// Why a token source gave no token, or took no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is none now. Stop trading, and ask again at `retry_at` or when [`changes`](crate::TokenSource::changes) tells of one: a
    /// human must sign in, or it is not known yet whether the token is good.
    #[error("there is no token of {api} now ({code}). {words}")]
    NoToken {
        /// Of which API.
        api: String,
        /// The server's word: `human_needed`, `cooling_down`, `token_unknown`, …
        code: String,
        /// What happened, and what to do next.
        words: String,
        /// Before then it is of no use to ask again.
        retry_at: Option<SystemTime>,
    },
    /// There is one, which dies sooner than the program wants.
    #[error(
        "the token of {api} (generation {generation}) lives for {} more seconds, fewer than the {} that are asked for. Ask for fewer, \
         or have a human sign in once Upstox gives tokens of the next day, from 03:31 IST on",
        .left.as_secs(),
        .min_valid.as_secs()
    )]
    TooShort {
        /// Of which API.
        api: String,
        /// Which token.
        generation: Generation,
        /// So long it lives.
        left: Duration,
        /// So long it was to live.
        min_valid: Duration,
    },
    /// Vega has no API of this name. A human must mend the program's settings, or Vega's.
    #[error("Vega has no API {api}. {words}")]
    UnknownApi {
        /// The name that was asked for.
        api: String,
        /// Which there are.
        words: String,
    },
    /// Vega gives this program nothing: its key is not known, was revoked, or does not permit it. A human must see to it.
    #[error("Vega refuses this program. {words}")]
    Refused {
        /// Why, and what to do next.
        words: String,
    },
    /// Tokens cannot be reached now. The source goes on trying by itself.
    #[error("{words}")]
    Unreachable {
        /// What failed, and what to do next.
        words: String,
    },
    /// An answer that this version of the crate does not know.
    #[error("{words}")]
    Unexpected {
        /// What was wrong with it.
        words: String,
    },
    /// The program's settings are wrong: an address, a file or a name.
    #[error("{words}")]
    Setup {
        /// Which, and what to do next.
        words: String,
    },
    /// Nobody keeps the source fresh any more.
    #[error(
        "this token source has ended: it was closed, or the tokio runtime in which it was made has ended. Make it in the one that lives as \
         long as the program"
    )]
    Ended,
}

impl Error {
    /// Before then it is of no use to ask again, if that is known.
    pub fn retry_at(&self) -> Option<SystemTime> {
        match self {
            Self::NoToken { retry_at, .. } => *retry_at,
            _ => None,
        }
    }

    /// Whether a human must act before there is a token: sign in, or mend a setting or a key.
    pub fn needs_a_human(&self) -> bool {
        match self {
            Self::NoToken { code, .. } => code != "token_unknown",
            Self::TooShort { .. } | Self::UnknownApi { .. } | Self::Refused { .. } | Self::Setup { .. } => {
                true
            }
            Self::Unreachable { .. } | Self::Unexpected { .. } | Self::Ended => false,
        }
    }

    pub(crate) fn setup(words: impl Into<String>) -> Self {
        Self::Setup { words: words.into() }
    }

    pub(crate) fn unreachable(words: impl Into<String>) -> Self {
        Self::Unreachable { words: words.into() }
    }

    pub(crate) fn unexpected(words: impl Into<String>) -> Self {
        Self::Unexpected { words: words.into() }
    }
}
