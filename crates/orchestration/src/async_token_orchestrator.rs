//! The entry point of every program: recover, verify in parallel, decide, ask, and start a run in the background.
//! The sequential part is `ResumeOrchestrator`'s, so that all entry points share one path.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vega_domain::account::Account;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::ApiName;
use vega_domain::plan::{self, Decision, Plan};
use vega_domain::ports::{Answer, AuditTrail, Clock, Operator, StoreError};
use vega_domain::run::RunRecord;
use vega_domain::token::{ApiStatus, CheckResult};
use vega_services::{ProfileVerificationService, TokenValidityService};

use crate::resume_orchestrator::{ResumeOrchestrator, RunError};

/// What verification found.
#[derive(Debug)]
pub struct Verification {
    /// The chosen APIs, in the configuration's order.
    pub statuses: Vec<ApiStatus>,
    /// What they call for.
    pub decision: Decision,
    /// A run that a dead process left and that was cleared up.
    pub left_over: Option<RunRecord>,
}

/// A run in the background.
#[derive(Debug)]
pub struct RunHandle {
    cancel: CancellationToken,
    task: JoinHandle<Result<RunRecord, RunError>>,
}

impl RunHandle {
    /// Ends the run as soon as a commit under way is finished. The run stays resumable.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Waits for the end.
    pub async fn outcome(&mut self) -> Result<RunRecord, RunError> {
        match (&mut self.task).await {
            Ok(outcome) => outcome,
            // The task is never aborted, so this is its panic: pass it on.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Verifies and starts runs.
pub struct AsyncTokenOrchestrator {
    accounts: Arc<[Account]>,
    validity: Arc<TokenValidityService>,
    verification: Arc<ProfileVerificationService>,
    runs: Arc<ResumeOrchestrator>,
    audit: Arc<dyn AuditTrail>,
    clock: Arc<dyn Clock>,
}

impl AsyncTokenOrchestrator {
    /// Over the configured accounts.
    pub fn new(
        accounts: Arc<[Account]>,
        validity: Arc<TokenValidityService>,
        verification: Arc<ProfileVerificationService>,
        runs: Arc<ResumeOrchestrator>,
        audit: Arc<dyn AuditTrail>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            accounts,
            validity,
            verification,
            runs,
            audit,
            clock,
        }
    }

    /// Asks Upstox about every living token among the chosen APIs (empty: all), then decides what is to be done.
    pub async fn verify(&self, chosen: &[ApiName]) -> Result<Verification, RunError> {
        let is_chosen = |api: &ApiName| chosen.is_empty() || chosen.contains(api);
        let left_over = self.runs.recover().await?;
        let living = self.validity.living().await?;
        let chosen_living = living.into_iter().filter(|token| is_chosen(&token.api)).collect();
        let verified = self.verification.verify(chosen_living).await?;
        let checks: Vec<CheckResult> = verified
            .iter()
            .filter_map(|token| token.last_check.map(|check| check.result))
            .collect();
        let mut statuses = self.validity.statuses().await?;
        statuses.retain(|status| is_chosen(&status.api));
        let decision = plan::decide(&self.accounts, &statuses, &checks);
        Ok(Verification {
            statuses,
            decision,
            left_over,
        })
    }

    /// Asks the operator and writes the answer down.
    pub async fn confirm(&self, plan: &Plan, operator: &dyn Operator) -> Result<Answer, StoreError> {
        let answer = operator.confirm(plan).await;
        let apis: Vec<&str> = plan.apis().iter().map(|planned| planned.api.as_str()).collect();
        let (kind, words) = match answer {
            Answer::Yes => (AuditKind::PlanConfirmed, ""),
            Answer::No => (AuditKind::PlanDeclined, "the operator said no: "),
            Answer::NobodyToAsk => (AuditKind::PlanDeclined, "nobody could be asked: "),
        };
        let entry = AuditEntry::new(self.clock.now(), kind, format!("{words}{}", apis.join(", ")));
        self.audit.append(&entry).await?;
        Ok(answer)
    }

    /// Starts a confirmed plan in the background.
    pub fn start(&self, plan: Plan) -> RunHandle {
        let cancel = CancellationToken::new();
        let (runs, stop) = (Arc::clone(&self.runs), cancel.clone());
        let task = tokio::spawn(async move { runs.execute(&plan, &stop).await });
        RunHandle { cancel, task }
    }
}
