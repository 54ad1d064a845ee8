//! Builds the object graph of both programs, once. Sends nothing to Upstox and starts no browser.

pub(crate) mod degraded_reads;
pub(crate) mod files;
pub(crate) mod maintenance;
pub(crate) mod open_database;
pub(crate) mod port_decorator;
pub(crate) mod relocation;
pub(crate) mod routes;
pub(crate) mod server_at_socket;
pub(crate) mod start_error;
pub(crate) mod stored_state;
pub(crate) mod stores;

use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use vega_domain::event::Event;
use vega_domain::ports::{
    AuditHistory, Clock, CodeDelivery, EventSink, ListenerAddress, ListenerProof, Operator, StoreError,
    TokenChanges, UpstoxTokenRepository,
};
use vega_listening::{Listener, who_listens};
use vega_orchestration::{AsyncTokenOrchestrator, CooldownManager, EventHub, OrchestrationPorts};
use vega_own_browser::{CallbackRouter, CodeReceiver, callback_router};
use vega_persistence::{DataSource, FileTokenSpool, SqlAuditHistory, SqlTokenChanges};
use vega_services::{
    AccessService, AdoptionPorts, AdoptionService, CappedRefusals, ConsumerService, FileDeliveryService,
    GenerationPorts, HotTokenRegistry, ProfileVerificationService, RegistryFollower, RegistryScope,
    RejectionPorts, RejectionService, RevocationPorts, RevocationService, TokenGenerationService,
};
use vega_upstox::{
    ClientError, DateHeaderClock, HttpClient, LastPriceClient, ProfileVerifier, SessionLogoutClient,
    TokenExchangeClient,
};

use crate::event_log::EventLog;
use crate::machine::requirements::MachineRequirements;
use crate::settings::Settings;
use crate::settings::environment::Environment;
use crate::wiring::files::file_deliveries;
use crate::wiring::maintenance::Maintenance;
use crate::wiring::open_database::open_database;
use crate::wiring::port_decorator::PortDecorator;
use crate::wiring::routes::Routes;
use crate::wiring::start_error::StartError;
use crate::wiring::stored_state::{StoredPorts, StoredState};
use crate::wiring::stores::Stores;

/// The token call is made once, so it gets all the time that it may need: giving up would lose the sign-in.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Vega, ready to work.
pub struct Vega {
    /// Its settings.
    pub settings: Settings,
    /// Verify, decide, run.
    pub orchestrator: AsyncTokenOrchestrator,
    /// What is stored, as it is read.
    pub stored: StoredState,
    /// Handles reports of programs about tokens that Upstox refuses.
    pub rejections: RejectionService,
    /// Takes tokens that the operator copied from Upstox's own pages.
    pub adoption: AdoptionService,
    /// Brings tokens to files.
    pub files: FileDeliveryService,
    /// Tokens in memory.
    pub registry: Arc<HotTokenRegistry>,
    /// Who may call the server, as stored at the start; `AccessService::follow` keeps it up to date.
    pub access: Arc<AccessService>,
    /// Which programs use tokens. Nothing of them is in memory at the start: `ConsumerService::catch_up` reads it.
    pub consumers: Arc<ConsumerService>,
    /// The audit trail.
    pub audit: Arc<dyn AuditHistory>,
    /// Records refusals of every kind.
    pub refusals: CappedRefusals,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Revokes tokens.
    pub revocation: RevocationService,
    /// Key and database.
    pub maintenance: Maintenance,
    follower: RegistryFollower,
    data: DataSource,
    ports: OrchestrationPorts,
    codes: Arc<dyn CodeDelivery>,
}

/// The calls to Upstox.
struct Clients {
    exchange: Arc<TokenExchangeClient>,
    profiles: Arc<ProfileVerifier>,
    prices: Arc<LastPriceClient>,
    logout: Arc<SessionLogoutClient>,
    broker_clock: Arc<DateHeaderClock>,
}

impl Clients {
    fn new(settings: &Settings, http: &HttpClient) -> Result<Self, ClientError> {
        let (base, timeout) = (&settings.api_base_url, settings.verification_timeout);
        Ok(Self {
            exchange: Arc::new(TokenExchangeClient::new(http, base, EXCHANGE_TIMEOUT)?),
            profiles: Arc::new(ProfileVerifier::new(http, base, timeout)?),
            prices: Arc::new(LastPriceClient::new(http, base, timeout)?),
            logout: Arc::new(SessionLogoutClient::new(http, base, timeout)?),
            broker_clock: Arc::new(DateHeaderClock::new(http, base, timeout)?),
        })
    }
}

impl Vega {
    /// Opens the database and wires everything. Loads stored tokens that are servable into memory, without a network.
    #[expect(
        clippy::too_many_lines,
        reason = "one object graph, in the order in which its parts need each other"
    )]
    pub async fn start(
        settings: Settings,
        environment: Environment,
        operator: Arc<dyn Operator>,
        events: Arc<dyn EventSink>,
        decorator: Arc<dyn PortDecorator>,
    ) -> Result<Self, StartError> {
        let events = decorator.events(events);
        let events = Arc::new(EventLog::new(operator.clone(), events));
        let hub = Arc::new(EventHub::new(events));
        let events: Arc<dyn EventSink> = hub.clone();
        // It reads all certificates that this machine trusts: meanwhile the database is opened.
        let proxy = settings.proxy.clone();
        let http = tokio::task::spawn_blocking(move || HttpClient::through(proxy));
        let (data, clock) = open_database(&settings, &*decorator).await?;
        let spool = FileTokenSpool::new(data.clone()).moving_through(
            |attempts| decorator.spooled_attempts(attempts),
            |tokens| decorator.spooled_tokens(tokens),
        );
        let Stores {
            tokens,
            adoption,
            attempts,
            otp_ledger,
            codes,
            spool,
            runs,
            cooldowns,
            audit,
            lease,
            access,
            consumers,
        } = Stores::over(&data, spool, &clock, &events).await;
        let refusals = CappedRefusals::new(audit, Arc::clone(&clock));
        let audit = Arc::new(refusals.clone());
        let history: Arc<dyn AuditHistory> = Arc::new(SqlAuditHistory::new(data.clone()));
        let codes = decorator.codes(codes);
        let http = http
            .await
            .unwrap_or_else(|ended| resume_unwind(ended.into_panic()))?;
        let upstox = Clients::new(&settings, &http)?;
        let sign_in = Arc::new(Routes::new(
            &settings,
            &environment,
            (&codes, audit.clone()),
            data.listener_proof(),
            &events,
            &clock,
        ));

        let access = AccessService::new(
            access.clone(),
            access,
            Arc::new(SqlTokenChanges::new(data.clone())),
            Arc::clone(&clock),
        );
        access.catch_up().await?;
        let consumers = ConsumerService::new(
            consumers,
            Arc::new(SqlTokenChanges::new(data.clone())),
            Arc::clone(&clock),
        );
        let (registry, follower) = hot_tokens(&settings, &data, &tokens, &clock).await?;
        let stored = StoredPorts {
            tokens: Arc::clone(&tokens),
            runs: runs.clone(),
            lease: lease.clone(),
            otp_ledger: otp_ledger.clone(),
            cooldowns: CooldownManager::new(
                settings.accounts.clone(),
                cooldowns.clone(),
                Arc::clone(&clock),
                settings.cooldown,
            ),
            clock: Arc::clone(&clock),
        };
        let stored = StoredState::over(&settings, data.clone(), stored);
        let adoption = AdoptionService::new(AdoptionPorts {
            tokens: Arc::clone(&tokens),
            adoption,
            profiles: upstox.profiles.clone(),
            prices: upstox.prices.clone(),
            registry: Arc::clone(&registry),
            events: Arc::clone(&events),
            clock: Arc::clone(&clock),
        });
        let verification = Arc::new(ProfileVerificationService::new(
            upstox.profiles.clone(),
            upstox.prices,
            Arc::clone(&tokens),
            Arc::clone(&registry),
            Arc::clone(&events),
            Arc::clone(&clock),
            settings.verification_parallel,
        ));
        let generation_ports = decorator.generation(GenerationPorts {
            tokens: Arc::clone(&tokens),
            lease: Arc::clone(&lease),
            attempts,
            otp_ledger,
            codes: Arc::clone(&codes),
            exchange: upstox.exchange,
            profiles: upstox.profiles,
            logout: upstox.logout.clone(),
            audit: audit.clone(),
            history: Arc::clone(&history),
            prompter: operator.clone(),
            presenter: operator.clone(),
            registry: Arc::clone(&registry),
            events: Arc::clone(&events),
            clock: Arc::clone(&clock),
        });
        let generation = Arc::new(TokenGenerationService::new(generation_ports, settings.otp_budget));
        let rejections = RejectionService::new(RejectionPorts {
            scope: RegistryScope::Configured(settings.accounts.clone()),
            tokens: Arc::clone(&tokens),
            verification: Arc::clone(&verification),
            registry: Arc::clone(&registry),
            audit: audit.clone(),
            clock: Arc::clone(&clock),
        });
        let revocation = RevocationService::new(RevocationPorts {
            tokens,
            logout: upstox.logout,
            audit: audit.clone(),
            registry: Arc::clone(&registry),
            events,
            clock: Arc::clone(&clock),
        });
        let ports = OrchestrationPorts {
            history: runs.clone(),
            runs,
            lease,
            cooldowns,
            audit,
            spool,
            broker_clock: upstox.broker_clock,
            operator,
            requirements: Arc::new(MachineRequirements {
                settings: settings.clone(),
                environment: environment.clone(),
                data: data.clone(),
            }),
            sign_in,
            events: hub,
            clock: Arc::clone(&clock),
            cooldown: settings.cooldown,
        };
        let orchestrator = AsyncTokenOrchestrator::new(
            settings.accounts.clone(),
            ports.clone(),
            Arc::clone(&stored.validity),
            verification,
            generation,
        );
        let maintenance = Maintenance {
            data: data.clone(),
            ports: ports.clone(),
            clock: Arc::clone(&clock),
            decorator,
        };
        maintenance.say_that_it_is_here().await;
        let files = file_deliveries(&settings, &environment, &data, &registry, &clock);
        Ok(Self {
            settings,
            orchestrator,
            stored,
            rejections,
            adoption,
            files,
            registry,
            access: Arc::new(access),
            consumers: Arc::new(consumers),
            revocation,
            maintenance,
            follower,
            audit: history,
            refusals,
            clock,
            data,
            ports,
            codes,
        })
    }

    /// Keeps the tokens in memory up to date with the database, whichever process changes it, and with the clock. For
    /// programs that run on; must be dropped before `close`.
    pub async fn follow_tokens(&self) -> Infallible {
        self.follower.follow().await
    }

    /// Every event from now on.
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.ports.events.listen()
    }

    /// Tells when anything in the database may have changed, whichever process changed it.
    pub fn changes(&self) -> impl TokenChanges + use<> {
        SqlTokenChanges::new(self.data.clone())
    }

    /// Routes for the redirect URIs of all APIs: they accept codes for any process that waits for them.
    pub fn callbacks(&self) -> CallbackRouter {
        let (codes, audit) = (Arc::clone(&self.codes), Arc::clone(&self.ports.audit));
        let receiver = CodeReceiver::new(codes, audit, Arc::clone(&self.clock));
        let apis = self.settings.accounts.apis();
        let uris = apis.map(|(_, api)| api.redirect_uri.clone());
        callback_router(Arc::new(receiver), uris.collect())
    }

    /// Finds who listens where the server of this machine does by the settings: it, another program, or nobody.
    pub async fn who_listens(&self) -> Listener {
        let server = &self.settings.server;
        let proof = self.data.listener_proof();
        who_listens(server.local_address(), server.scheme(), proof.as_ref()).await
    }

    /// The proof that this program holds the installation's key, for a caller at `address` that asks for it.
    pub fn prove_listener(&self, challenge: &str, address: &ListenerAddress) -> String {
        self.data.listener_proof().answer(challenge, address)
    }

    /// Closes the database properly.
    pub async fn close(&self) {
        if let Err(error) = self.refusals.sum_up().await {
            tracing::warn!(%error, "how much was refused is not on record");
        }
        self.data.close().await;
    }
}

/// The stored tokens in memory, and the task that keeps them up to date.
async fn hot_tokens(
    settings: &Settings,
    data: &DataSource,
    tokens: &Arc<dyn UpstoxTokenRepository>,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<HotTokenRegistry>, RegistryFollower), StoreError> {
    let registry = Arc::new(HotTokenRegistry::new(Arc::clone(clock)));
    let follower = RegistryFollower::new(
        Arc::clone(&registry),
        RegistryScope::Configured(settings.accounts.clone()),
        Arc::clone(tokens),
        Arc::new(SqlTokenChanges::new(data.clone())),
        Arc::clone(clock),
    );
    follower.catch_up().await?;
    Ok((registry, follower))
}
