//! What runs need of the outside.

use std::sync::Arc;
use std::time::Duration;

use vega_domain::accounts::Accounts;
use vega_domain::ports::{
    AuditTrail, BrokerClock, Clock, CooldownRepository, ExecutionStateRepository, LoginLease, Operator,
    RunHistory, SignIn, SignInRequirements, TokenSpool,
};

use crate::cooldown_manager::CooldownManager;
use crate::event_hub::EventHub;

/// What runs need of the outside.
#[derive(Clone)]
pub struct OrchestrationPorts {
    /// Where runs are written down.
    pub runs: Arc<dyn ExecutionStateRepository>,
    /// What is on record of them.
    pub history: Arc<dyn RunHistory>,
    /// One sign-in at a time.
    pub lease: Arc<dyn LoginLease>,
    /// Which accounts may not sign in.
    pub cooldowns: Arc<dyn CooldownRepository>,
    /// For what happens without a change of its own.
    pub audit: Arc<dyn AuditTrail>,
    /// Where received tokens are while the database does not take them.
    pub spool: Arc<dyn TokenSpool>,
    /// Upstox's time.
    pub broker_clock: Arc<dyn BrokerClock>,
    /// The human.
    pub operator: Arc<dyn Operator>,
    /// What signing in needs of this machine.
    pub requirements: Arc<dyn SignInRequirements>,
    /// The way of signing in.
    pub sign_in: Arc<dyn SignIn>,
    /// Who wants to know.
    pub events: Arc<EventHub>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long an account cools down.
    pub cooldown: Duration,
}

impl OrchestrationPorts {
    /// Over these accounts.
    pub fn cooldown_manager(&self, accounts: &Accounts) -> CooldownManager {
        CooldownManager::new(
            accounts.clone(),
            Arc::clone(&self.cooldowns),
            Arc::clone(&self.clock),
            self.cooldown,
        )
    }
}
