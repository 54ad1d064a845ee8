//! Everything that a sign-in needs, looked at before the operator is asked for a yes: one line instead of one wasted OTP.
//! In this order, up to the first that fails: the lease, a durable commit, the key, browser and driver, somebody who can
//! answer or read a link, the redirect port, the OTP budget; what must be mended comes before what time alone mends. The
//! clock is not looked at here: it is compared with Upstox's during verification, and no plan comes out of a wrong one.
//!
//! What is found holds for a moment only. Each thing is decided again where it counts: the lease by the run, the budget by
//! the press, the port by the session.

use chrono::{DateTime, Utc};
use thiserror::Error;
use vega_domain::account::{Account, Route};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::expiry::in_ist;
use vega_domain::ids::ApiName;
use vega_domain::plan::Plan;
use vega_domain::ports::{BrowserWindow, LeaseError, StoreError, Unmet};

use crate::ports::OrchestrationPorts;
use crate::retry_policy::WaitPolicy;
use crate::run_error::RunError;

/// Why no sign-in can be made now: what, why, and what to do.
#[derive(Debug, Error)]
pub enum PreflightError {
    /// Another process signs in.
    #[error(transparent)]
    Held(RunError),
    /// The database takes no change, so it would not take a token either.
    #[error(transparent)]
    Commit(#[from] StoreError),
    /// What is sealed now could not be read later.
    #[error(transparent)]
    Key(Unmet),
    /// No browser can be driven.
    #[error(transparent)]
    Browser(Unmet),
    /// An OTP would be asked for, and nobody could type it.
    #[error(
        "nobody could answer, so no OTP is asked for: Vega's browser shows no window (browser.headless), and there is no \
         terminal and no console at which OTP and PIN could be given. One of these will do: take VEGA__BROWSER__HEADLESS \
         out, and run `vega` where a window can open; run `vega` in the foreground of a terminal, with its input and its \
         error output there; start `vega-server` and generate in its console; or sign in with your own browser \
         (--route own-browser)"
    )]
    NobodyCanAnswer,
    /// A link would be shown, and nobody could read it.
    #[error(
        "the own-browser route shows a link, and there is no terminal to show it on. Run `vega` in a terminal, or add \
         --open to have the link opened here"
    )]
    NobodyCanRead,
    /// A code could not come back.
    #[error(
        "a sign-in for {api} in your own browser is not possible here: {why}, and there is no terminal at which the code \
         could be pasted. Generate in the console or with `vega` in a terminal, or free the port"
    )]
    Redirect {
        /// Whose code.
        api: ApiName,
        /// Why nobody can listen at its redirect URI.
        why: Unmet,
    },
    /// No account of the plan can sign in now, and nobody wants to wait.
    #[error(
        "no sign-in can begin before {} IST: each account of this plan has used up its OTP budget or cools down. \
         Generate then; or now and let Vega wait, in the console or without --no-wait: it goes on by itself. A cooldown ends \
         sooner with `vega cooldown clear ACCOUNT --reason TEXT`, at the risk that Upstox refuses the next OTP too",
        in_ist(*.until).format("%H:%M:%S")
    )]
    NobodyCanBegin {
        /// When the first can.
        until: DateTime<Utc>,
    },
}

impl PreflightError {
    /// What was looked at, for the audit trail.
    fn check(&self) -> &'static str {
        match self {
            Self::Held(_) => "lease",
            Self::Commit(_) => "commit",
            Self::Key(_) => "key",
            Self::Browser(_) => "browser",
            Self::NobodyCanAnswer | Self::NobodyCanRead => "human",
            Self::Redirect { .. } => "redirect port",
            Self::NobodyCanBegin { .. } => "OTP budget",
        }
    }
}

/// Looks at what plans need.
pub(crate) struct Preflight<'p> {
    pub(crate) accounts: &'p [Account],
    pub(crate) ports: &'p OrchestrationPorts,
}

impl Preflight<'_> {
    /// Looks whether the plan can be carried out, and puts on record what was found. No window opens, nothing is asked of
    /// the human, and nothing is pressed.
    pub(crate) async fn check(&self, plan: &Plan, wait_policy: WaitPolicy) -> Result<(), PreflightError> {
        let checked = self.look(plan, wait_policy).await;
        // There is nothing to put it on record with.
        if let Err(PreflightError::Commit(_)) = &checked {
            return checked;
        }
        let (kind, words) = match &checked {
            Ok(()) => (AuditKind::PreflightPassed, plan.names()),
            Err(error) => (AuditKind::PreflightFailed, format!("{}: {error}", error.check())),
        };
        let entry = AuditEntry::new(self.ports.clock.now(), kind, words);
        match (self.ports.audit.append(&entry).await, checked) {
            (appended, Ok(())) => Ok(appended?),
            (Ok(()), failed) => failed,
            (Err(error), failed) => {
                tracing::warn!(%error, "that the preflight failed is not on record");
                failed
            }
        }
    }

    async fn look(&self, plan: &Plan, wait_policy: WaitPolicy) -> Result<(), PreflightError> {
        // Given back at once: whoever says yes first, here or in another process, shall have it. Whoever takes it names
        // itself in a row, which is the durable commit.
        match self.ports.lease.acquire().await {
            Ok(lease) => drop(lease),
            Err(LeaseError::Store(error)) => return Err(error.into()),
            Err(held @ LeaseError::Held(_)) => return Err(PreflightError::Held(held.into())),
        }
        let (requirements, operator) = (&self.ports.requirements, &self.ports.operator);
        requirements.key().map_err(PreflightError::Key)?;
        if self.planned(plan, Route::Webdriver).next().is_some() {
            let window = requirements.browser().await.map_err(PreflightError::Browser)?;
            // A console may be opened at any time, and a run of the server's begins only with a yes that came from one.
            if window == BrowserWindow::Headless && !operator.is_there() {
                return Err(PreflightError::NobodyCanAnswer);
            }
        }
        if self.planned(plan, Route::OwnBrowser).next().is_some()
            && !operator.can_see_links()
            && !requirements.opens_links()
        {
            return Err(PreflightError::NobodyCanRead);
        }
        self.look_at_callbacks(plan).await?;
        let closed_until = plan.estimate().and_then(|estimate| estimate.closed_until);
        match closed_until.filter(|_| wait_policy == WaitPolicy::NoWait) {
            Some(until) => Err(PreflightError::NobodyCanBegin { until }),
            None => Ok(()),
        }
    }

    /// The codes of the own-browser route come back to a port of this machine, or are pasted.
    async fn look_at_callbacks(&self, plan: &Plan) -> Result<(), PreflightError> {
        if self.ports.operator.is_there() {
            return Ok(());
        }
        for account in self.planned(plan, Route::OwnBrowser) {
            let is_planned = |name: &ApiName| plan.apis().iter().any(|planned| planned.api == *name);
            for api in account.apis.iter().filter(|api| is_planned(&api.name)) {
                let looked = self.ports.requirements.callback(&api.redirect_uri).await;
                looked.map_err(|why| PreflightError::Redirect {
                    api: api.name.clone(),
                    why,
                })?;
            }
        }
        Ok(())
    }

    /// The accounts of the plan that sign in this way.
    fn planned<'s>(&'s self, plan: &'s Plan, route: Route) -> impl Iterator<Item = &'s Account> {
        let planned = plan.accounts();
        let accounts = self.accounts.iter();
        accounts.filter(move |account| account.route == route && planned.contains(&&account.id))
    }
}
