//! What the parts of a run work with: `RunDependencies` for every run of a process, `RunContext` for the one under way.
//! Decides nothing.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use vega_domain::account::Account;
use vega_domain::accounts::Accounts;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::{AccountId, ApiName, RunId};
use vega_domain::plan::Plan;
use vega_domain::ports::{Answer, Operator, StoreError};
use vega_domain::run::RunRecord;
use vega_services::{TokenGenerationService, TokenValidityService};

use crate::cooldown_manager::CooldownManager;
use crate::ports::OrchestrationPorts;
use crate::retry_policy::WaitPolicy;
use crate::run_progress::RunProgress;

/// For every run of this process.
pub(crate) struct RunDependencies {
    pub(crate) accounts: Accounts,
    pub(crate) ports: OrchestrationPorts,
    pub(crate) cooldowns: CooldownManager,
    pub(crate) validity: Arc<TokenValidityService>,
    pub(crate) generation: Arc<TokenGenerationService>,
}

/// A confirmed plan that is being carried out.
pub(crate) struct RunContext<'r> {
    pub(crate) dependencies: &'r RunDependencies,
    pub(crate) progress: RunProgress<'r>,
    pub(crate) plan: &'r Plan,
    pub(crate) wait_policy: WaitPolicy,
    /// The operator, or another process, wants the run to end.
    pub(crate) cancel: CancellationToken,
}

impl RunDependencies {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.ports.clock.now()
    }

    pub(crate) fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.account(id)
    }

    pub(crate) fn operator(&self) -> &dyn Operator {
        &*self.ports.operator
    }

    pub(crate) fn progress_of(&self, record: RunRecord) -> RunProgress<'_> {
        RunProgress::new(record, &self.ports)
    }

    /// The APIs whose tokens programs may have now.
    pub(crate) async fn servable(&self) -> Result<HashSet<ApiName>, StoreError> {
        let statuses = self.validity.statuses().await?;
        let servable = statuses.into_iter().filter(|status| status.servable);
        Ok(servable.map(|status| status.api).collect())
    }

    /// Puts the operator's answer to a plan on record.
    pub(crate) async fn note_answer(&self, plan: &Plan, answer: Answer) -> Result<(), StoreError> {
        let (kind, words) = match answer {
            Answer::Yes => (AuditKind::PlanConfirmed, ""),
            Answer::StandingYes => (AuditKind::PlanConfirmed, "without what needs a yes of its own: "),
            Answer::No => (AuditKind::PlanDeclined, "the operator said no: "),
            Answer::NobodyToAsk => (AuditKind::PlanDeclined, "nobody could be asked: "),
        };
        let forced = plan
            .force()
            .map_or(String::new(), |reason| format!("; forced: {reason}"));
        let words = format!("{words}{}{forced}", plan.names());
        let entry = AuditEntry::new(self.now(), kind, words);
        self.ports.audit.append(&entry).await
    }

    /// Keeps the audit trail's end on record. The run is over and stays so, whatever becomes of that.
    pub(crate) async fn keep_checkpoint(&self, run: RunId) {
        if let Err(error) = self.ports.audit.keep_checkpoint(run, self.now()).await {
            tracing::error!(%run, %error, "the end of the audit trail is not on record: a cut of it may go unnoticed");
        }
    }
}
