//! The entry point of every program: recover, verify in parallel, decide, ask, and start a run in the background.
//! The sequential part is `ResumeOrchestrator`'s, so that all entry points share one path.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use vega_domain::account::Account;
use vega_domain::accounts::{Accounts, ApiSelection};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::check_times::CheckTimes;
use vega_domain::clock_check::ClockCheck;
use vega_domain::cooldown::Cooldown;
use vega_domain::expiry::in_ist;
use vega_domain::failure::Failure;
use vega_domain::ids::{ApiName, RunId};
use vega_domain::overview::Statuses;
use vega_domain::plan::{self, BrokerAnswers, Decision, NotNow, Plan, Wanted};
use vega_domain::plan_estimate::{PlanEstimate, Standing};
use vega_domain::ports::{Answer, Approver, StoreError};
use vega_domain::resume::TakenUp;
use vega_domain::run::RunRecord;
use vega_domain::token::{ApiStatus, CheckResult, StoredToken};
use vega_services::{ProfileVerificationService, TokenGenerationService, TokenValidityService};

use crate::cooldown_manager::CooldownManager;
use crate::ports::OrchestrationPorts;
use crate::resume_orchestrator::ResumeOrchestrator;
use crate::retry_policy::WaitPolicy;
use crate::run_error::RunError;
use crate::run_handle::RunHandle;
use crate::run_queries::RunQueries;
use crate::run_recovery::LeftOver;
use crate::scheduled_checks::ScheduledChecks;
use crate::upkeep::Upkeep;

/// So long an answer about an analytics token may come after all others.
const PATIENCE: Duration = Duration::from_secs(2);

/// What verification found.
#[derive(Debug)]
pub struct Verification {
    /// The chosen APIs, in the configuration's order.
    pub statuses: Vec<ApiStatus>,
    /// How the analytics tokens stand. They call for no sign-in.
    pub analytics: Vec<ApiStatus>,
    /// What they call for.
    pub decision: Decision,
    /// Whether this computer's clock agrees with Upstox's.
    pub clock: ClockCheck,
    /// What earlier starts left and this one cleared up.
    pub left_over: LeftOver,
    /// The incomplete run of today that needs no sign-in any more and was completed.
    pub completed: Option<RunRecord>,
}

/// What the operator's answer comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Start this; it may be less than what was planned.
    Start(Box<Plan>),
    /// Everything planned needs a yes of its own, and this one was given before.
    NothingCovered,
    /// The operator said no.
    Declined,
    /// Nobody could be asked.
    NobodyToAsk,
}

/// Verifies and starts runs.
pub struct AsyncTokenOrchestrator {
    accounts: Accounts,
    ports: OrchestrationPorts,
    cooldowns: CooldownManager,
    validity: Arc<TokenValidityService>,
    verification: Arc<ProfileVerificationService>,
    generation: Arc<TokenGenerationService>,
    runs: Arc<ResumeOrchestrator>,
    upkeep: Arc<Upkeep>,
    under_way: Mutex<Option<RunHandle>>,
}

impl AsyncTokenOrchestrator {
    /// Over the configured accounts.
    pub fn new(
        accounts: Accounts,
        ports: OrchestrationPorts,
        validity: Arc<TokenValidityService>,
        verification: Arc<ProfileVerificationService>,
        generation: Arc<TokenGenerationService>,
    ) -> Self {
        let runs = ResumeOrchestrator::new(
            accounts.clone(),
            ports.clone(),
            Arc::clone(&validity),
            Arc::clone(&generation),
        );
        let upkeep = Upkeep {
            spool: Arc::clone(&ports.spool),
            lease: Arc::clone(&ports.lease),
            validity: Arc::clone(&validity),
            verification: Arc::clone(&verification),
            clock: Arc::clone(&ports.clock),
        };
        Self {
            upkeep: Arc::new(upkeep),
            cooldowns: ports.cooldown_manager(&accounts),
            accounts,
            ports,
            validity,
            verification,
            generation,
            runs: Arc::new(runs),
            under_way: Mutex::default(),
        }
    }

    /// Asks Upstox about every living token among the chosen APIs and for its time, then decides what is to be done.
    pub async fn verify(&self, wanted: Wanted<'_>) -> Result<Verification, RunError> {
        let is_chosen = |api: &ApiName| wanted.apis.includes(api);
        let left_over = self.runs.recover().await?;
        let (living, mut analytics) = self.validity.all_living().await?;
        let chosen_living = living.into_iter().filter(|token| is_chosen(&token.api)).collect();
        if *wanted.apis != ApiSelection::All {
            analytics.clear();
        }
        let (verified, clock) = self.ask(chosen_living, analytics).await?;
        let checks: Vec<CheckResult> = verified?
            .iter()
            .filter_map(|token| token.last_check.map(|check| check.result))
            .collect();
        let answers = BrokerAnswers {
            checks: &checks,
            time_unanswered: clock.as_ref().err().cloned(),
        };
        let clock = clock.unwrap_or(ClockCheck::NotKnown);
        let Statuses {
            apis: mut statuses,
            analytics,
        } = self.validity.all_statuses().await?;
        statuses.retain(|status| is_chosen(&status.api));
        let mut completed = None;
        let decision = match plan::decide(&self.accounts, &statuses, answers, wanted) {
            Decision::SignIn(plan) => self.now_or_not(self.taking_up(plan).await?, clock).await?,
            Decision::AllValid => {
                completed = self.runs.complete_if_settled().await?;
                Decision::AllValid
            }
            other => other,
        };
        Ok(Verification {
            statuses,
            analytics,
            decision,
            clock,
            left_over,
            completed,
        })
    }

    /// What is known of runs.
    pub fn runs(&self) -> RunQueries<'_> {
        self.runs.queries()
    }

    /// Whether a sign-in could begin here now: fails where another process signs in.
    pub async fn prove_turn(&self) -> Result<(), RunError> {
        Ok(self.ports.lease.acquire().await.map(drop)?)
    }

    async fn taking_up(&self, plan: Plan) -> Result<Plan, StoreError> {
        if plan.force().is_some() {
            return Ok(plan);
        }
        let run = self.runs().open().await?;
        Ok(match run {
            Some(run) => plan.taking_up(TakenUp::of(&run)),
            None => plan,
        })
    }

    /// Asks about these tokens and for Upstox's time, and beside it about analytics tokens. Nothing that is decided waits long for a
    /// token that no sign-in makes: an answer that does not come soon after the others is heard the next time.
    async fn ask(
        &self,
        living: Vec<StoredToken>,
        analytics: Vec<StoredToken>,
    ) -> Result<(Result<Vec<StoredToken>, StoreError>, Result<ClockCheck, Failure>), StoreError> {
        let mut asking = pin!(async { tokio::join!(self.verification.verify(living), self.check_clock()) });
        let mut beside = pin!(self.verification.verify(analytics));
        tokio::select! {
            biased;
            asked = &mut beside => {
                asked?;
                Ok(asking.await)
            }
            answered = &mut asking => {
                if let Ok(asked) = timeout(PATIENCE, beside).await {
                    asked?;
                } else {
                    tracing::warn!("no answer about the analytics tokens; they are asked about the next time");
                }
                Ok(answered)
            }
        }
    }

    async fn check_clock(&self) -> Result<ClockCheck, Failure> {
        let asked = self.ports.clock.now();
        let time = self.ports.broker_clock.time().await;
        let answered = self.ports.clock.now();
        match time {
            Ok(Some(upstox)) => Ok(ClockCheck::compare(asked, answered, upstox)),
            Ok(None) => Ok(ClockCheck::NotKnown),
            Err(failure) => Err(failure),
        }
    }

    /// A plan that may begin, with its stopped accounts; or why it may not, which goes on record.
    async fn now_or_not(&self, plan: Plan, clock: ClockCheck) -> Result<Decision, StoreError> {
        let now = self.ports.clock.now();
        let Some(not_now) = plan::not_now(now, clock, plan.force()) else {
            let closed = self.cooldowns.closed().await?;
            let estimate = self.estimate(&plan, &closed).await?;
            return Ok(Decision::SignIn(
                plan.with_stopped(closed).with_estimate(estimate),
            ));
        };
        let why = match not_now {
            NotNow::ClockOff(_) => clock.words().unwrap_or_default(),
            NotNow::ClosedHours { until } => {
                format!("sign-ins are closed until {} IST", in_ist(until).format("%H:%M"))
            }
        };
        let words = format!("{why}; planned were {}", plan.names());
        let audit = AuditEntry::new(now, AuditKind::SignInRefused, words);
        self.ports.audit.append(&audit).await?;
        Ok(Decision::NotNow(not_now))
    }

    /// What the plan will take, as far as that can be known.
    async fn estimate(&self, plan: &Plan, closed: &[Cooldown]) -> Result<PlanEstimate, StoreError> {
        let now = self.ports.clock.reading();
        let allowances = self.generation.otp_allowances(self.accounts.iter()).await?;
        let standings = self.accounts.iter().zip(allowances).map(|(account, allowance)| {
            let closed = closed.iter().find(|closed| closed.account == account.id);
            Standing {
                account: account.id.clone(),
                allowance,
                cools_until: closed.and_then(|closed| closed.until(&now)),
            }
        });
        let standings: Vec<_> = standings.collect();
        Ok(PlanEstimate::of(plan.apis(), &standings, now.at))
    }

    /// Asks the operator and writes the answer down. A yes to a plan with stopped accounts opens them
    /// again when the plan is started.
    pub async fn confirm(&self, plan: Plan, approver: &dyn Approver) -> Result<Confirmation, StoreError> {
        let answer = approver.confirm(&plan).await;
        self.runs.note_answer(&plan, answer).await?;
        Ok(match answer {
            Answer::Yes => Confirmation::Start(Box::new(plan)),
            Answer::StandingYes => plan
                .for_a_standing_yes()
                .map_or(Confirmation::NothingCovered, |plan| {
                    Confirmation::Start(Box::new(plan))
                }),
            Answer::No => Confirmation::Declined,
            Answer::NobodyToAsk => Confirmation::NobodyToAsk,
        })
    }

    /// Clears up what dead processes left; does nothing while another process signs in.
    pub async fn clear_up(&self) -> Result<LeftOver, RunError> {
        self.runs.recover().await
    }

    /// Whether the run that was asked to end has ended; somebody may have begun another one since. What a dead process left
    /// is cleared up on the way.
    pub async fn has_ended(&self, run: RunId) -> Result<bool, RunError> {
        self.clear_up().await?;
        Ok(self.runs().active().await?.map(|run| run.id) != Some(run))
    }

    /// Whether what a dead process left is being finished now. To drop that half-way may lose a token.
    pub fn is_recovering(&self) -> bool {
        self.runs.is_recovering()
    }

    /// Waits until it is not.
    pub async fn recovered(&self) {
        self.runs.recovered().await;
    }

    /// Starts a confirmed plan in the background. While a run is under way in this process no other one begins: the
    /// handle that comes back is then that run's, and says so (`RunHandle::is_joined`).
    pub fn start(&self, plan: Plan, wait_policy: WaitPolicy) -> RunHandle {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(run) = under_way.as_ref().filter(|run| !run.is_over()) {
            return run.join();
        }
        let cancel = CancellationToken::new();
        let (runs, upkeep, stop) = (Arc::clone(&self.runs), self.upkeep(), cancel.clone());
        let run = async move {
            tokio::select! {
                // In this order: what happens does not depend on chance.
                biased;
                run = runs.execute(&plan, wait_policy, &stop) => run,
                never = upkeep.go_on() => match never {},
            }
        };
        let handle = RunHandle::start(run, cancel, Arc::clone(&self.ports.events));
        *under_way = Some(handle.clone());
        handle
    }

    pub(crate) fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    pub(crate) fn ports(&self) -> &OrchestrationPorts {
        &self.ports
    }

    /// What a program does beside all that for as long as it lives; while a run is under way it is done already.
    pub fn upkeep(&self) -> Arc<Upkeep> {
        Arc::clone(&self.upkeep)
    }

    /// The checks at set times, for a program that runs on.
    pub fn scheduled_checks(&self, times: CheckTimes) -> ScheduledChecks {
        ScheduledChecks {
            times,
            validity: Arc::clone(&self.validity),
            verification: Arc::clone(&self.verification),
            clock: Arc::clone(&self.ports.clock),
        }
    }

    /// The run that is under way in this process, if one is.
    pub fn under_way(&self) -> Option<RunHandle> {
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let run = under_way.as_ref().filter(|run| !run.is_over());
        run.map(RunHandle::join)
    }
}
