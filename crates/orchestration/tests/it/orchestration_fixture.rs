//! What the orchestrators run over in a test, and the tokens that a test finds in it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use vega_domain::account::Account;
use vega_domain::accounts::Accounts;
use vega_domain::expiry;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, ApiName, ClientId, Generation, MobileNumber, RunId, UserId};
use vega_domain::plan::{Decision, Plan, Wanted};
use vega_domain::ports::{Clock, MockEvidenceStore, MockPresenter, MockPrompter};
use vega_domain::run::{RunRecord, RunState, StepRecord, StepState};
use vega_domain::secret::AccessToken;
use vega_domain::sign_in::OtpBudget;
use vega_domain::token::{CheckResult, LastCheck, StoredToken};
use vega_orchestration::{
    AsyncTokenOrchestrator, EventHub, OrchestrationPorts, OverviewService, ResumeOrchestrator, RunError,
    RunHandle, WaitPolicy,
};
use vega_services::{
    EvidenceService, GenerationPorts, HotTokenRegistry, ProfileVerificationService, TokenGenerationService,
    TokenValidityService,
};
use vega_testing::builders::account_with;
use vega_testing::{Effects, MemoryStore, PausedClock, RecordedEvents};

use crate::broker::{self, Broker};
use crate::faults::Faults;
use crate::human::Human;
use crate::requirements::Requirements;
use crate::sign_ins::{Script, SignIns};

/// A moment on India's clock.
pub(crate) fn in_india(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(&format!("{text}+05:30"))
        .unwrap()
        .to_utc()
}

/// How long an account cools down.
pub(crate) const COOLDOWN: Duration = Duration::from_mins(11);

const OTP_BUDGET: OtpBudget = OtpBudget {
    presses: 4,
    window: Duration::from_mins(11),
};

/// What a stored token is worth.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Standing {
    Valid,
    Expired,
    Rejected,
    Revoked,
    NeverVerified,
    LastCheckFailed,
}

pub(crate) struct OrchestrationFixture {
    pub(crate) log: Arc<Effects>,
    pub(crate) clock: Arc<PausedClock>,
    pub(crate) database: Arc<MemoryStore>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) broker: Arc<Broker>,
    pub(crate) sign_ins: Arc<SignIns>,
    pub(crate) events: Arc<RecordedEvents>,
    hub: Arc<EventHub>,
    pub(crate) registry: Arc<HotTokenRegistry>,
    pub(crate) human: Arc<Human>,
    pub(crate) requirements: Arc<Requirements>,
    pub(crate) accounts: Accounts,
}

impl OrchestrationFixture {
    /// On a working morning, without any token.
    pub(crate) fn of(accounts: &[(&str, &[&str])]) -> Self {
        let log = Arc::new(Effects::default());
        let faults = Arc::new(Faults::new(Arc::clone(&log)));
        let events = Arc::new(RecordedEvents::default());
        let clock = PausedClock::at(in_india("2026-11-23T08:45:00"));
        Self {
            database: Arc::new(MemoryStore::watched_by(faults.clone())),
            faults,
            broker: Arc::new(Broker::new(Arc::clone(&log))),
            sign_ins: Arc::new(SignIns::new(Arc::clone(&log))),
            hub: Arc::new(EventHub::new(events.clone())),
            events,
            human: Arc::default(),
            requirements: Arc::default(),
            registry: Arc::new(HotTokenRegistry::new(clock.clone())),
            accounts: (1..)
                .zip(accounts)
                .map(|(number, (id, apis))| account(id, number, apis))
                .collect(),
            log,
            clock,
        }
    }

    /// Two accounts, three APIs and two.
    pub(crate) fn two_accounts() -> Self {
        Self::of(&[
            ("main", &["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"]),
            ("second", &["OPTIONCHAIN1", "OPTIONCHAIN2"]),
        ])
    }

    pub(crate) fn has(&self, api: &str, standing: Standing) {
        self.database.put(self.token(api, standing));
    }

    pub(crate) fn token(&self, api: &str, standing: Standing) -> StoredToken {
        let now = self.clock.now();
        let account = self
            .accounts
            .iter()
            .find(|account| account.apis.iter().any(|a| a.name.as_str() == api));
        let check = |result| Some(LastCheck { at: now, result });
        let mut token = StoredToken {
            api: ApiName::new(api).unwrap(),
            account: account.unwrap().id.clone(),
            client_id: ClientId::new(format!("key-{api}")).unwrap(),
            user_id: user("AB1234"),
            generation: Generation::FIRST,
            access_token: AccessToken::new(broker::token(api)),
            issued_at: now,
            valid_until: expiry::valid_until(now),
            verified_at: Some(now),
            rejected_at: None,
            last_check: check(CheckResult::Valid),
        };
        match standing {
            Standing::Valid => {}
            Standing::Expired => token.valid_until = expiry::day_start(now),
            Standing::Rejected => {
                // Upstox still says so when it is asked again.
                self.broker.holds_dead(api);
                token.apply(LastCheck {
                    at: now,
                    result: CheckResult::Invalid,
                });
            }
            Standing::Revoked => token.apply(LastCheck {
                at: now,
                result: CheckResult::Revoked,
            }),
            Standing::NeverVerified => {
                token.verified_at = None;
                token.last_check = None;
            }
            Standing::LastCheckFailed => {
                token.last_check = check(CheckResult::Unknown(FailureReason::Network));
            }
        }
        token
    }

    pub(crate) fn fails(&self, whom: &str, reason: FailureReason) {
        self.sign_ins
            .script(whom, Script::Fails(Failure::new(reason, "words")));
    }

    pub(crate) fn validity(&self) -> Arc<TokenValidityService> {
        Arc::new(TokenValidityService::new(
            self.accounts.clone(),
            self.database.clone(),
            self.database.clone(),
            self.clock.clone(),
        ))
    }

    pub(crate) fn ports(&self) -> OrchestrationPorts {
        OrchestrationPorts {
            runs: self.database.clone(),
            history: self.database.clone(),
            lease: self.database.clone(),
            cooldowns: self.database.clone(),
            audit: self.database.clone(),
            spool: self.database.clone(),
            broker_clock: self.broker.clone(),
            operator: self.human.clone(),
            requirements: self.requirements.clone(),
            sign_in: self.sign_ins.clone(),
            events: self.hub.clone(),
            clock: self.clock.clone(),
            cooldown: COOLDOWN,
        }
    }

    pub(crate) fn generation(&self) -> Arc<TokenGenerationService> {
        Arc::new(TokenGenerationService::new(
            GenerationPorts {
                tokens: self.database.clone(),
                lease: self.database.clone(),
                attempts: self.database.clone(),
                otp_ledger: self.database.clone(),
                codes: self.database.clone(),
                exchange: self.broker.clone(),
                profiles: self.broker.clone(),
                logout: self.broker.clone(),
                audit: self.database.clone(),
                history: self.database.clone(),
                prompter: Arc::new(MockPrompter::new()),
                presenter: Arc::new(MockPresenter::new()),
                registry: self.registry.clone(),
                events: self.hub.clone(),
                clock: self.clock.clone(),
            },
            OTP_BUDGET,
        ))
    }

    pub(crate) fn resume(&self) -> ResumeOrchestrator {
        ResumeOrchestrator::new(
            self.accounts.clone(),
            self.ports(),
            self.validity(),
            self.generation(),
        )
    }

    /// Evidence was kept of every failed sign-in.
    pub(crate) fn overview(&self) -> OverviewService {
        let mut kept = MockEvidenceStore::new();
        kept.expect_record_of()
            .returning(|last| Some(format!("/{}", last.api).into()));
        OverviewService {
            accounts: self.accounts.clone(),
            validity: self.validity(),
            evidence: Arc::new(EvidenceService::new(self.database.clone(), Arc::new(kept))),
            cooldowns: self.ports().cooldown_manager(&self.accounts),
            otp_ledger: self.database.clone(),
            otp_budget: OTP_BUDGET,
            clock: self.clock.clone(),
        }
    }

    pub(crate) fn orchestrator(&self) -> AsyncTokenOrchestrator {
        let verification = ProfileVerificationService::new(
            self.broker.clone(),
            self.broker.clone(),
            self.database.clone(),
            self.registry.clone(),
            self.hub.clone(),
            self.clock.clone(),
            6,
        );
        AsyncTokenOrchestrator::new(
            self.accounts.clone(),
            self.ports(),
            self.validity(),
            Arc::new(verification),
            self.generation(),
        )
    }

    /// Verifies and takes the plan out of the decision; the log starts anew.
    pub(crate) async fn plan(&self) -> Plan {
        let decision = self
            .orchestrator()
            .verify(Wanted::default())
            .await
            .unwrap()
            .decision;
        self.log.take();
        self.events.0.lock().unwrap().clear();
        let Decision::SignIn(plan) = decision else {
            panic!("nothing is planned: {decision:?}");
        };
        plan
    }

    /// Verifies and carries the plan out without asking.
    pub(crate) async fn run(&self) -> Result<RunRecord, RunError> {
        let plan = self.plan().await;
        self.resume()
            .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
            .await
    }

    /// A run that a dead process left, with these steps of the account `main`.
    pub(crate) fn left_run(&self, steps: &[(&str, StepState)]) -> RunRecord {
        let started_at = self.clock.now() - TimeDelta::minutes(5);
        RunRecord {
            id: RunId::at(started_at),
            state: RunState::Running,
            started_at,
            finished_at: None,
            steps: steps
                .iter()
                .map(|(api, state)| StepRecord {
                    api: ApiName::new(*api).unwrap(),
                    account: AccountId::new("main").unwrap(),
                    state: state.clone(),
                })
                .collect(),
        }
    }
}

/// The end of a run in the background. The hour is paused time, so a run that hangs fails at once.
pub(crate) async fn end_of(run: &RunHandle) -> Result<RunRecord, Arc<RunError>> {
    let end = tokio::time::timeout(Duration::from_hours(1), run.outcome());
    end.await.unwrap()
}

/// The steps of a run in short: name, state, reason.
pub(crate) fn steps(run: &RunRecord) -> Vec<String> {
    run.steps
        .iter()
        .map(|step| {
            let reason = step.state.reason().0.map(|reason| format!(" {reason}"));
            format!(
                "{} {}{}",
                step.api,
                step.state.as_str(),
                reason.unwrap_or_default()
            )
        })
        .collect()
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

fn account(id: &str, number: u32, apis: &[&str]) -> Account {
    Account {
        id: AccountId::new(id).unwrap(),
        mobile_number: MobileNumber::new(format!("900000000{number}")).unwrap(),
        ..account_with(apis)
    }
}
