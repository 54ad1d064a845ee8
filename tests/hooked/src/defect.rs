//! Defects to inject around the ports, each against one promise. A check that does not find them finds nothing:
//! `cargo xtask test` proves that it does.

mod journal;
mod ports;

use std::sync::Arc;
use std::time::Duration;

use vega_domain::ports::EventSink;
use vega_services::{GenerationPorts, HotTokenRegistry};

/// A slow disk: what was published too early has not been written for so long.
const COMMIT_TAKES: Duration = Duration::from_millis(100);

/// What goes wrong.
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
}

impl Defect {
    /// By its name in the file. Another name would inject nothing, and whoever named it would not notice.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "publish-before-commit" => Self::PublishBeforeCommit,
            "drop-journal-write" => Self::DropJournalWrite,
            "drop-otp-record" => Self::DropOtpRecord,
            "send-twice" => Self::SendTwice,
            unknown => panic!("no defect is named {unknown:?}"),
        }
    }

    /// The ports that it is injected around.
    pub(super) fn among(self, ports: GenerationPorts) -> GenerationPorts {
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
