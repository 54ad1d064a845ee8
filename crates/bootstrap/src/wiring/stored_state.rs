//! What is stored, for commands that only look. Wires no network, browser or run. Where the database needs no preparation it is
//! opened to be read alone, which takes a fraction of a start of all of `Vega`.

use std::sync::Arc;

use vega_domain::accounts::Accounts;
use vega_domain::ids::ApiName;
use vega_domain::machine::LeaseHolderAt;
use vega_domain::ports::{
    Clock, LeaseHolder, LoadedToken, LoginLease, OtpLedger, RunHistory, StoreError, UpstoxTokenRepository,
};
use vega_domain::row_faults::RowFaults;
use vega_domain::run::RunRecord;
use vega_domain::token::StoredToken;
use vega_domain::token_kind::WantedKind;
use vega_orchestration::{CooldownManager, OverviewService};
use vega_persistence::{
    DataSource, RowScope, SqlCooldownRepository, SqlExecutionStateRepository, SqlSignInJournal,
    SqlTokenRepository,
};
use vega_selenium::FileEvidenceStore;
use vega_services::{EvidenceService, TokenValidityService, servable_of};

use crate::machine::clock::SystemClock;
use crate::settings::Settings;
use crate::wiring::port_decorator::PortDecorator;

/// Stored state, as it is read.
pub struct StoredState {
    /// The stored tokens and their validity by the clock.
    pub validity: Arc<TokenValidityService>,
    /// Which accounts are closed.
    pub cooldowns: CooldownManager,
    /// The evidence of failed sign-ins.
    pub evidence: Arc<EvidenceService>,
    /// How APIs and accounts stand.
    pub overview: OverviewService,
    /// The time.
    pub clock: Arc<dyn Clock>,
    accounts: Accounts,
    tokens: Arc<dyn UpstoxTokenRepository>,
    runs: Arc<dyn RunHistory>,
    lease: Arc<dyn LoginLease>,
    data: DataSource,
}

/// Who signs in now.
#[derive(Debug)]
pub enum SigningIn {
    /// Nobody.
    Nobody,
    /// A process without a run: it begins or ended one, finishes what was left without a run, or replaces the key.
    Busy(LeaseHolder),
    /// A process that carries out this run, or clears up after the dead one that did.
    Run(RunRecord),
    /// Nobody: this run is not carried out any more, and its end is not on record yet. Its process is dead, as a rule.
    CutOff(RunRecord),
}

/// What does not fit in a database that can be read.
pub struct Findings {
    /// The rows that decide something now and are not the latest version that Vega wrote.
    pub faults: RowFaults,
    /// Why the checkpoint of the latest change is missing.
    pub missing_checkpoint: Option<String>,
}

impl Findings {
    /// Whether everything fits.
    pub fn are_none(&self) -> bool {
        self.faults.is_none() && self.missing_checkpoint.is_none()
    }
}

/// What stored state is read through.
pub(crate) struct StoredPorts {
    pub(crate) tokens: Arc<dyn UpstoxTokenRepository>,
    pub(crate) runs: Arc<dyn RunHistory>,
    pub(crate) lease: Arc<dyn LoginLease>,
    pub(crate) otp_ledger: Arc<dyn OtpLedger>,
    pub(crate) cooldowns: CooldownManager,
    pub(crate) clock: Arc<dyn Clock>,
}

impl StoredState {
    /// Opens the database to be read alone. `None` where it has to be opened with all of `Vega`, which mends what is wrong or
    /// tells why it cannot be used.
    pub async fn open(settings: &Settings, decorator: &dyn PortDecorator) -> Option<Self> {
        let data = DataSource::open_to_read(&settings.database_place, settings.key_source.clone()).await?;
        let machine = Arc::new(SystemClock::new());
        let clock = data.installation_clock(machine, |clock| decorator.clock(clock));
        let clock = clock.await.ok()?;
        let cooldowns = CooldownManager::new(
            settings.accounts.clone(),
            Arc::new(SqlCooldownRepository::new(data.clone())),
            Arc::clone(&clock),
            settings.cooldown,
        );
        let ports = StoredPorts {
            tokens: Arc::new(SqlTokenRepository::new(data.clone())),
            runs: Arc::new(SqlExecutionStateRepository::new(data.clone())),
            lease: data.login_lease(Arc::clone(&clock)),
            otp_ledger: Arc::new(SqlSignInJournal::new(data.clone())),
            cooldowns,
            clock,
        };
        Some(Self::over(settings, data, ports))
    }

    pub(crate) fn over(settings: &Settings, data: DataSource, ports: StoredPorts) -> Self {
        let StoredPorts {
            tokens,
            runs,
            lease,
            otp_ledger,
            cooldowns,
            clock,
        } = ports;
        let accounts = settings.accounts.clone();
        let validity = Arc::new(TokenValidityService::new(
            accounts.clone(),
            Arc::clone(&tokens),
            Arc::clone(&runs),
            Arc::clone(&clock),
        ));
        let evidence = Arc::new(EvidenceService::new(
            Arc::clone(&runs),
            Arc::new(FileEvidenceStore::new(settings.evidence.clone())),
        ));
        let overview = OverviewService {
            accounts: accounts.clone(),
            validity: Arc::clone(&validity),
            evidence: Arc::clone(&evidence),
            cooldowns: cooldowns.clone(),
            otp_ledger,
            otp_budget: settings.otp_budget,
            clock: Arc::clone(&clock),
        };
        Self {
            validity,
            cooldowns,
            evidence,
            overview,
            clock,
            accounts,
            tokens,
            runs,
            lease,
            data,
        }
    }

    /// The first of the wanted tokens of `api` that a program may have now.
    pub async fn token(&self, api: &ApiName, wanted: WantedKind) -> Result<Option<StoredToken>, StoreError> {
        let stored = self.tokens.load_all().await?;
        let readable = stored.into_iter().filter_map(LoadedToken::ok).collect();
        Ok(servable_of(
            readable,
            &self.accounts,
            api,
            wanted,
            self.clock.now(),
        ))
    }

    /// Who signs in now.
    pub async fn signing_in(&self) -> Result<SigningIn, StoreError> {
        let holder = self.lease.holder().await?;
        let run = self.runs.active().await?;
        Ok(match (holder, run) {
            (None, None) => SigningIn::Nobody,
            (Some(holder), None) => SigningIn::Busy(holder),
            (Some(_), Some(run)) => SigningIn::Run(run),
            // It may have taken the lease and begun since.
            (None, Some(run)) => match self.lease.holder().await? {
                Some(_) => SigningIn::Run(run),
                None => SigningIn::CutOff(run),
            },
        })
    }

    /// Who has the sign-in lease now, and where it can be reached if it is a server.
    pub async fn lease_holder(&self) -> Result<Option<LeaseHolderAt>, StoreError> {
        match self.lease.holder().await? {
            Some(holder) => self.data.reached_at(holder).await.map(Some),
            None => Ok(None),
        }
    }

    /// What does not fit in the database. Tries once more to write the checkpoint of the latest change, if it is missing.
    pub async fn findings(&self) -> Result<Findings, StoreError> {
        Ok(Findings {
            faults: self.data.row_faults(RowScope::Deciding).await?,
            missing_checkpoint: self.data.missing_checkpoint(self.clock.now()).await,
        })
    }

    /// Whether SQLite finds no damage in the whole file.
    pub async fn is_undamaged(&self) -> bool {
        self.data.is_undamaged().await
    }

    /// Closes the database properly.
    pub async fn close(&self) {
        self.data.close().await;
    }
}
