//! The one place where somebody may stand between the application and its adapters while they are wired. The programs put
//! nothing there; the whole-system stories bring their own.

use std::sync::Arc;

use vega_domain::ports::{Clock, CodeDelivery, EventSink};
use vega_persistence::{FileTokenSpool, RotationStep};
use vega_services::GenerationPorts;

/// Wraps ports. Each method returns what it was given, unless it is overridden.
pub trait PortDecorator: Send + Sync {
    /// The time of everything.
    fn clock(&self, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        clock
    }

    /// Where events go.
    fn events(&self, events: Arc<dyn EventSink>) -> Arc<dyn EventSink> {
        events
    }

    /// Where codes from redirects go.
    fn codes(&self, codes: Arc<dyn CodeDelivery>) -> Arc<dyn CodeDelivery> {
        codes
    }

    /// The spool, before what is left in it goes into the database.
    fn spool(&self, spool: FileTokenSpool) -> FileTokenSpool {
        spool
    }

    /// What token generation needs.
    fn generation(&self, ports: GenerationPorts) -> GenerationPorts {
        ports
    }

    /// A rotation of the root key has come to this step.
    fn rotating(&self, _step: RotationStep) {}
}

/// Nothing is between.
pub struct Undecorated;

impl PortDecorator for Undecorated {}
