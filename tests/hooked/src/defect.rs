//! Defects to inject around the ports, each against one promise. A check that does not find them finds nothing:
//! `cargo xtask test` proves that it does.

mod journal;
mod machines;
mod ports;

use std::sync::Arc;
use std::time::Duration;

use vega_domain::ports::{Clock, EventSink, OtpLedger, SignInAttempts};
use vega_services::{GenerationPorts, HotTokenRegistry};

/// A slow disk: what was published too early has not been written for so long.
const COMMIT_TAKES: Duration = Duration::from_millis(100);

/// What goes wrong at the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    /// A token is given out before it is stored.
    PublishBeforeCommit,
    /// The answer of the token endpoint is not written down.
    DropJournalWrite,
    /// A press of "Get OTP" is not written down.
    DropOtpRecord,
    /// The code is sent a second time.
    SendTwice,
    /// Presses of "Get OTP" are dated by the clock of this machine.
    LedgerByMachineClock,
    /// An answer in the spool that the database does not want any more is erased without a word.
    ConflictClearsSpool,
}

/// Either at the ports, or in what holds machines with one database together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Injected {
    AtPorts(Defect),
    #[cfg(feature = "injected-defects")]
    InStorage(vega_persistence::InjectedDefect),
}

impl Injected {
    /// By its name in the file. Another name would inject nothing, and whoever named it would not notice.
    pub(super) fn named(name: &str) -> Self {
        if let Some(defect) = Defect::named(name) {
            return Self::AtPorts(defect);
        }
        #[cfg(feature = "injected-defects")]
        if let Some(defect) = in_storage(name) {
            return Self::InStorage(defect);
        }
        panic!("no defect is named {name:?} in this build")
    }
}

#[cfg(feature = "injected-defects")]
fn in_storage(name: &str) -> Option<vega_persistence::InjectedDefect> {
    use vega_persistence::InjectedDefect as In;
    Some(match name {
        "epoch-not-compared" => In::EpochNotCompared,
        "no-poll" => In::NoPoll,
        "poll-without-deadline" => In::PollWithoutDeadline,
        "no-idle-limit" => In::NoIdleLimit,
        "asynchronous-commit" => In::AsynchronousCommit,
        "unanswered-is-done" => In::UnansweredIsDone,
        "unanswered-is-failed" => In::UnansweredIsFailed,
        "loss-not-looked-for" => In::LossNotLookedFor,
        "resumed-after-a-loss" => In::ResumedAfterALoss,
        "lease-joined" => In::LeaseJoined,
        "recv-trusted" => In::RecvTrusted,
        "no-look-after-reconnect" => In::NoLookAfterReconnect,
        "key-committed-before-copied" => In::KeyCommittedBeforeCopied,
        _ => return None,
    })
}

impl Defect {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "publish-before-commit" => Self::PublishBeforeCommit,
            "drop-journal-write" => Self::DropJournalWrite,
            "drop-otp-record" => Self::DropOtpRecord,
            "send-twice" => Self::SendTwice,
            "ledger-by-machine-clock" => Self::LedgerByMachineClock,
            "conflict-clears-spool" => Self::ConflictClearsSpool,
            _ => return None,
        })
    }

    /// The ports that it is injected around.
    pub(super) fn among(self, ports: GenerationPorts, machine: Option<Arc<dyn Clock>>) -> GenerationPorts {
        match self {
            Self::PublishBeforeCommit => GenerationPorts {
                tokens: Arc::new(EarlyTokens {
                    port: ports.tokens,
                    registry: Arc::clone(&ports.registry),
                    events: Arc::clone(&ports.events),
                }),
                ..ports
            },
            Self::SendTwice => GenerationPorts {
                exchange: Arc::new(Defective::new(ports.exchange)),
                ..ports
            },
            Self::DropJournalWrite => GenerationPorts {
                attempts: Arc::new(Defective::new(ports.attempts)),
                ..ports
            },
            Self::DropOtpRecord => GenerationPorts {
                otp_ledger: Arc::new(Defective::new(ports.otp_ledger)),
                ..ports
            },
            Self::LedgerByMachineClock => GenerationPorts {
                otp_ledger: Arc::new(LedgerOfMachine {
                    clock: machine.unwrap_or_else(|| Arc::clone(&ports.clock)),
                    port: ports.otp_ledger,
                }),
                ..ports
            },
            Self::ConflictClearsSpool => ports,
        }
    }

    /// The attempts that get what the spool moves into the database.
    pub(super) fn among_spooled(self, attempts: Arc<dyn SignInAttempts>) -> Arc<dyn SignInAttempts> {
        match self {
            Self::ConflictClearsSpool => Arc::new(SilentAttempts { port: attempts }),
            _ => attempts,
        }
    }
}

/// A port with a defect.
pub(super) struct Defective<P: ?Sized> {
    port: Arc<P>,
}

impl<P: ?Sized> Defective<P> {
    fn new(port: Arc<P>) -> Self {
        Self { port }
    }
}

/// Stored tokens that are published first.
struct EarlyTokens {
    port: Arc<dyn vega_domain::ports::UpstoxTokenRepository>,
    registry: Arc<HotTokenRegistry>,
    events: Arc<dyn EventSink>,
}

/// A ledger that takes the time of one machine.
struct LedgerOfMachine {
    port: Arc<dyn OtpLedger>,
    clock: Arc<dyn Clock>,
}

/// Attempts that want no answer any more and say nothing about it.
struct SilentAttempts {
    port: Arc<dyn SignInAttempts>,
}
