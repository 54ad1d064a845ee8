//! One program of Vega's in one process: the real services and orchestrators over this world's adapters, put together as
//! `vega-bootstrap` does it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::task::AbortOnDropHandle;
use vega_domain::account::RedirectUri;
use vega_domain::ports::{
    BrowserWindow, Clock, CodeDelivery, EventSink, Operator, SignInRequirements, StoreError, Unmet,
};
use vega_orchestration::{
    AsyncTokenOrchestrator, CooldownManager, EventHub, OrchestrationPorts, import_under_lease,
};
use vega_services::{
    GenerationPorts, HotTokenRegistry, ProfileVerificationService, RegistryFollower, RegistryScope,
    TokenGenerationService, TokenValidityService,
};

use crate::desk::{BUDGET, COOLDOWN};
use crate::events::Events;
use crate::here::Here;
use crate::human::Human;
use crate::lease::lease;
use crate::sign_in::SignIns;
use crate::store::{DiskChanges, Store, away};
use crate::upstox::Endpoints;

/// As many profile calls at once.
const PARALLEL: usize = 6;
const CLEARS_UP_EVERY: Duration = Duration::from_secs(10);

pub(crate) struct Program {
    pub(crate) here: Here,
    pub(crate) orchestrator: AsyncTokenOrchestrator,
    pub(crate) operator: Arc<dyn Operator>,
    pub(crate) validity: Arc<TokenValidityService>,
    pub(crate) cooldowns: CooldownManager,
    follower: Arc<RegistryFollower>,
}

impl Program {
    pub(crate) async fn start(here: Here) -> Result<Self, StoreError> {
        let accounts = here.world.accounts.clone();
        if here.world.has_several_machines() {
            if !here.look_at_database() {
                return Err(away());
            }
            tokio::spawn(here.clone().go_on_looking());
        }
        let clock: Arc<dyn Clock> = here.process.clock.clone();
        let hub = Arc::new(EventHub::new(Arc::new(Events::new(here.clone()))));
        let events: Arc<dyn EventSink> = hub.clone();
        let store = Arc::new(Store::new(here.clone()));
        let lease = lease(here.clone());
        if let Err(error) = import_under_lease(&*store, &*lease, clock.now()).await {
            here.tell(&format!("leaves the spool as it is: {error}"));
        }
        let registry = Arc::new(HotTokenRegistry::new(Arc::clone(&clock)));
        let follower = Arc::new(RegistryFollower::new(
            Arc::clone(&registry),
            RegistryScope::Configured(accounts.clone()),
            store.clone(),
            Arc::new(DiskChanges::new(here.clone())),
            Arc::clone(&clock),
        ));
        follower.catch_up().await?;
        let validity = Arc::new(TokenValidityService::new(
            accounts.clone(),
            store.clone(),
            store.clone(),
            Arc::clone(&clock),
        ));
        // From here on programs get tokens from this process.
        let _ = here.process.registry.set(Arc::clone(&registry));
        let endpoints = Arc::new(Endpoints::new(here.clone()));
        let verification = Arc::new(ProfileVerificationService::new(
            endpoints.clone(),
            endpoints.clone(),
            store.clone(),
            Arc::clone(&registry),
            Arc::clone(&events),
            Arc::clone(&clock),
            PARALLEL,
        ));
        let operator: Arc<dyn Operator> = Arc::new(Human::new(here.clone()));
        let generation_ports = GenerationPorts {
            tokens: store.clone(),
            lease: Arc::clone(&lease),
            attempts: store.clone(),
            otp_ledger: store.clone(),
            codes: store.clone(),
            exchange: endpoints.clone(),
            profiles: endpoints.clone(),
            logout: endpoints.clone(),
            audit: store.clone(),
            history: store.clone(),
            prompter: operator.clone(),
            presenter: operator.clone(),
            registry,
            events,
            clock: Arc::clone(&clock),
        };
        let generation = Arc::new(TokenGenerationService::new(generation_ports, BUDGET));
        let codes: Arc<dyn CodeDelivery> = store.clone();
        let ports = OrchestrationPorts {
            runs: store.clone(),
            history: store.clone(),
            lease,
            cooldowns: store.clone(),
            audit: store.clone(),
            spool: store,
            broker_clock: endpoints,
            operator: Arc::clone(&operator),
            requirements: Arc::new(WholeMachine),
            sign_in: Arc::new(SignIns::new(here.clone(), codes)),
            events: hub,
            clock,
            cooldown: COOLDOWN,
        };
        let cooldowns = ports.cooldown_manager(&accounts);
        let orchestrator =
            AsyncTokenOrchestrator::new(accounts, ports, Arc::clone(&validity), verification, generation);
        Ok(Self {
            here,
            orchestrator,
            operator,
            validity,
            cooldowns,
            follower,
        })
    }

    /// What a program that runs on does beside its work, until that is dropped: it hands out what is stored, whichever
    /// process stores it, and does what is left to do.
    pub(crate) fn runs_on(self: &Arc<Self>) -> [AbortOnDropHandle<()>; 3] {
        self.here.process.follows.store(true, Ordering::Relaxed);
        let (follower, upkeep) = (Arc::clone(&self.follower), self.orchestrator.upkeep());
        let program = Arc::clone(self);
        [
            AbortOnDropHandle::new(tokio::spawn(async move { match follower.follow().await {} })),
            AbortOnDropHandle::new(tokio::spawn(async move { match upkeep.go_on().await {} })),
            AbortOnDropHandle::new(tokio::spawn(async move { program.clear_up().await })),
        ]
    }

    /// Clears up what dead processes left, as a server does between its runs.
    async fn clear_up(&self) {
        loop {
            if self.orchestrator.under_way().is_none()
                && let Err(error) = self.orchestrator.clear_up().await
            {
                self.here.tell(&format!("does not clear up yet: {error}"));
            }
            self.here.rest(CLEARS_UP_EVERY).await;
        }
    }
}

/// What a sign-in needs of a machine is there on every simulated day.
struct WholeMachine;

#[async_trait]
impl SignInRequirements for WholeMachine {
    fn key(&self) -> Result<(), Unmet> {
        Ok(())
    }

    async fn browser(&self) -> Result<BrowserWindow, Unmet> {
        Ok(BrowserWindow::Shown)
    }

    async fn callback(&self, _: &RedirectUri) -> Result<(), Unmet> {
        Ok(())
    }

    fn opens_links(&self) -> bool {
        false
    }
}
