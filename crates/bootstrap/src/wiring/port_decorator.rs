//! The one place where ports can be wrapped between the application and its adapters. The programs wrap nothing; the
//! whole-system stories use their own decorator.

use std::sync::Arc;

use vega_domain::ports::{Clock, CodeDelivery, EventSink, SignInAttempts, UpstoxTokenRepository};
use vega_services::GenerationPorts;

/// Wraps ports. Each method returns what it was given, unless it is overridden.
pub trait PortDecorator: Send + Sync {
    /// The clock of this machine, which is compared with the database's where that is on a server.
    fn machine_clock(&self, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        clock
    }

    /// The clock of the whole program.
    fn clock(&self, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        clock
    }

    /// The sink of all events.
    fn events(&self, events: Arc<dyn EventSink>) -> Arc<dyn EventSink> {
        events
    }

    /// The receiver of codes from redirects.
    fn codes(&self, codes: Arc<dyn CodeDelivery>) -> Arc<dyn CodeDelivery> {
        codes
    }

    /// The attempts that get what the spool moves into the database.
    fn spooled_attempts(&self, attempts: Arc<dyn SignInAttempts>) -> Arc<dyn SignInAttempts> {
        attempts
    }

    /// The tokens that get what the spool moves into the database.
    fn spooled_tokens(&self, tokens: Arc<dyn UpstoxTokenRepository>) -> Arc<dyn UpstoxTokenRepository> {
        tokens
    }

    /// The ports of token generation.
    fn generation(&self, ports: GenerationPorts) -> GenerationPorts {
        ports
    }

    /// Called when a rotation of the root key has reached the step of this name.
    fn rotating(&self, _step: &'static str) {}
}

/// Wraps nothing.
pub struct Undecorated;

impl PortDecorator for Undecorated {}
