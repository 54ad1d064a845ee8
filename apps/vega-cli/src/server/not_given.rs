//! Why the server gave nothing: which of its problems are its word, and what a command ends with then. All others are none: the database may know.

use serde::de::DeserializeOwned;
use vega_api_types::{ProblemCode, ReceivedProblem};
use vega_bootstrap::NoServer;

use crate::exit::Exit;

/// Why the server gave nothing.
#[derive(Debug)]
pub(crate) enum NotGiven {
    /// It said so.
    Refused(Refused),
    /// It said nothing that counts, and why.
    NotAsked(String),
}

/// The server's word that the program gets nothing.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) code: ProblemCode,
    pub(crate) words: String,
}

impl From<NoServer> for NotGiven {
    fn from(none: NoServer) -> Self {
        Self::NotAsked(none.to_string())
    }
}

impl From<std::io::Error> for NotGiven {
    fn from(broken: std::io::Error) -> Self {
        Self::NotAsked(format!("the server's answer broke off: {broken}"))
    }
}

impl NotGiven {
    /// What a problem means. Whoever has the key and the database (`is_own`) may read them where the server only knows less: it was
    /// started before an API was added, say. What the operator stopped is stopped.
    pub(crate) fn of(problem: ReceivedProblem, is_own: bool) -> Self {
        let is_its_word = match problem.code {
            ProblemCode::HumanNeeded
            | ProblemCode::CoolingDown
            | ProblemCode::TokenUnknown
            | ProblemCode::UnknownGeneration
            | ProblemCode::ConsumerStopped => true,
            ProblemCode::NotAllowed | ProblemCode::NotSignedIn | ProblemCode::UnknownApi => !is_own,
            _ => false,
        };
        if is_its_word {
            Self::Refused(Refused {
                code: problem.code,
                words: problem.detail,
            })
        } else {
            Self::NotAsked(problem.detail)
        }
    }

    /// The same of an answer's body.
    pub(crate) fn of_body(body: &[u8], is_own: bool) -> Self {
        match read(body) {
            Ok(problem) => Self::of(problem, is_own),
            Err(unreadable) => unreadable,
        }
    }

    pub(crate) fn late() -> Self {
        Self::NotAsked("the server did not answer in time".into())
    }

    pub(crate) fn unreadable() -> Self {
        Self::NotAsked("the server's answer cannot be read".into())
    }
}

/// Without the words of the parser: they may repeat a token.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, NotGiven> {
    serde_json::from_slice(body).map_err(|_| NotGiven::unreadable())
}

impl Refused {
    /// What a command ends with.
    pub(crate) fn exit(&self) -> Exit {
        match self.code {
            ProblemCode::TokenUnknown => Exit::Unreachable,
            ProblemCode::ConsumerStopped => Exit::NotAllowed,
            ProblemCode::NotAllowed | ProblemCode::NotSignedIn => Exit::Preflight,
            ProblemCode::UnknownApi | ProblemCode::UnknownGeneration => Exit::Usage,
            _ => Exit::HumanNeeded,
        }
    }

    /// Whether it says how the token stands, rather than what the program may do.
    pub(crate) fn is_of_the_token(&self) -> bool {
        matches!(
            self.code,
            ProblemCode::HumanNeeded | ProblemCode::CoolingDown | ProblemCode::TokenUnknown
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a shell is told, for each problem of the server: by whoever could read the database itself, and by another user.
    #[test]
    fn each_problem_is_the_servers_word_or_none() {
        let exit = |code: ProblemCode, is_own: bool| {
            let detail = String::new();
            match NotGiven::of(ReceivedProblem { code, detail }, is_own) {
                NotGiven::Refused(refused) => Some((refused.exit(), refused.is_of_the_token())),
                NotGiven::NotAsked(_) => None,
            }
        };
        for &code in ProblemCode::ALL {
            let (own, other) = match code {
                ProblemCode::HumanNeeded | ProblemCode::CoolingDown => {
                    let human = Some((Exit::HumanNeeded, true));
                    (human, human)
                }
                ProblemCode::TokenUnknown => {
                    let unknown = Some((Exit::Unreachable, true));
                    (unknown, unknown)
                }
                ProblemCode::ConsumerStopped => {
                    let stopped = Some((Exit::NotAllowed, false));
                    (stopped, stopped)
                }
                ProblemCode::UnknownGeneration => {
                    let usage = Some((Exit::Usage, false));
                    (usage, usage)
                }
                ProblemCode::UnknownApi => (None, Some((Exit::Usage, false))),
                ProblemCode::NotAllowed | ProblemCode::NotSignedIn => (None, Some((Exit::Preflight, false))),
                _ => (None, None),
            };
            assert_eq!((exit(code, true), exit(code, false)), (own, other), "{code:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_word_and_is_not_repeated() {
        for body in [
            &b"canary"[..],
            b"{\"code\":\"canary\",\"detail\":\"canary\"}",
            b"",
        ] {
            match NotGiven::of_body(body, false) {
                NotGiven::NotAsked(why) => assert!(!why.contains("canary"), "{why}"),
                NotGiven::Refused(refused) => panic!("{refused:?}"),
            }
        }
    }
}
