//! How APIs and accounts stand, for `vega status --json` as for `GET /api/v1/apis`; and the token that a program asks for.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::Cooldown;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::ids::{AccountId, Generation};
use vega_domain::no_token::Closed;
use vega_domain::overview::{OtpAllowances, Overview};
use vega_domain::sign_in::OtpAllowance;
use vega_domain::token::{ApiStatus, StoredToken};
use vega_domain::token_kind::ending_within_days;

use crate::codes::{TokenAnswer, TokenKind, TokenStatus};
use crate::database::DatabaseFaultsView;
use crate::failures::{FailureView, LastFailureView};
use crate::runs::{Outcome, RunView};

/// Every API and account.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ApisView {
    pub v: u8,
    pub apis: Vec<ApiView>,
    pub accounts: Vec<AccountView>,
}

/// One API; never its token.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ApiView {
    pub v: u8,
    /// Its name.
    pub api: String,
    pub account: String,
    pub status: TokenStatus,
    /// Whether programs get its token now.
    pub servable: bool,
    pub valid_until: Option<String>,
    pub valid_until_unix: Option<i64>,
    /// Counts the tokens of this API.
    pub generation: Option<u32>,
    /// When Upstox first confirmed the token.
    pub verified_at: Option<String>,
    /// When Upstox was last asked about it.
    pub checked_at: Option<String>,
    pub checked_at_unix: Option<i64>,
    /// Why Upstox did not say whether it is good when it was last asked, if so.
    pub check_failure: Option<FailureView>,
    /// Why the last sign-in failed, if no token came since.
    pub last_failure: Option<LastFailureView>,
}

impl ApiView {
    /// One for each API of the overview.
    pub fn all(overview: &Overview) -> Vec<Self> {
        let statuses = overview.statuses.iter();
        statuses
            .map(|status| Self::of(status, overview.evidence.get(&status.api)))
            .collect()
    }

    /// With the file of the evidence of its last failure, if some was kept.
    pub fn of(status: &ApiStatus, evidence: Option<&PathBuf>) -> Self {
        Self {
            v: 1,
            api: status.api.to_string(),
            account: status.account.to_string(),
            status: status.status.into(),
            servable: status.servable,
            valid_until: status.valid_until.map(rfc3339_ist),
            valid_until_unix: status.valid_until.map(|at| at.timestamp()),
            generation: status.generation.map(Generation::get),
            verified_at: status.verified_at.map(rfc3339_ist),
            checked_at: status.last_check.map(|check| rfc3339_ist(check.at)),
            checked_at_unix: status.last_check.map(|check| check.at.timestamp()),
            check_failure: status.check_failure().as_ref().map(FailureView::from),
            last_failure: status.last_failure.as_ref().map(|failure| LastFailureView {
                failure: FailureView::from(failure),
                evidence: evidence.map(|record| record.display().to_string()),
            }),
        }
    }
}

/// One account.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AccountView {
    pub account: String,
    /// OTPs that may be asked for now.
    pub otp_presses_left: u32,
    /// OTPs that may be asked for within the window.
    pub otp_budget: u32,
    /// When a sign-in is possible again, where time alone makes it so.
    pub retry_at: Option<String>,
    pub retry_at_unix: Option<i64>,
    /// Why it cools down, if it does.
    pub cooldown: Option<ClosedView>,
    /// Why it is stopped, if it is; a yes to a plan opens it.
    pub stop: Option<ClosedView>,
    /// Its analytics token, if Vega has one.
    pub analytics: Option<AnalyticsView>,
}

/// How an account's analytics token stands; never the token. It only reads, and lives for a year.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AnalyticsView {
    pub status: TokenStatus,
    /// Whether programs that may have it get it now.
    pub servable: bool,
    pub valid_until: Option<String>,
    pub valid_until_unix: Option<i64>,
    /// Counts the analytics tokens of this account.
    pub generation: Option<u32>,
    /// When Upstox was last asked about it.
    pub checked_at: Option<String>,
    pub checked_at_unix: Option<i64>,
    /// Why Upstox did not say whether it is good when it was last asked, if so.
    pub check_failure: Option<FailureView>,
    /// 30, 7 or 1 while it ends within so many days.
    pub ends_within_days: Option<i64>,
}

impl AnalyticsView {
    pub fn of(status: &ApiStatus, now: DateTime<Utc>) -> Self {
        let ends = status.valid_until.filter(|_| status.servable);
        Self {
            status: status.status.into(),
            servable: status.servable,
            valid_until: status.valid_until.map(rfc3339_ist),
            valid_until_unix: status.valid_until.map(|at| at.timestamp()),
            generation: status.generation.map(Generation::get),
            checked_at: status.last_check.map(|check| rfc3339_ist(check.at)),
            checked_at_unix: status.last_check.map(|check| check.at.timestamp()),
            check_failure: status.check_failure().as_ref().map(FailureView::from),
            ends_within_days: ends.and_then(|end| ending_within_days(end, now)),
        }
    }
}

/// Why an account is closed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ClosedView {
    pub since: String,
    /// Null for a stop.
    pub until: Option<String>,
    pub until_unix: Option<i64>,
    pub failure: FailureView,
    /// What lifts it, in the console and with `vega`, and what that risks.
    pub way_out: String,
}

impl ClosedView {
    pub fn of(closed: &Cooldown, now: &ClockReading) -> Self {
        let until = closed.until(now);
        Self {
            since: rfc3339_ist(closed.since.at),
            until: until.map(rfc3339_ist),
            until_unix: until.map(|at| at.timestamp()),
            failure: FailureView::from(&closed.failure),
            way_out: closed.way_out(),
        }
    }
}

impl AccountView {
    /// What closes it, if anything does.
    pub fn closed(&self) -> Option<Closed<&ClosedView>> {
        let stop = self.stop.as_ref().map(Closed::Stop);
        stop.or_else(|| self.cooldown.as_ref().map(Closed::Cooldown))
    }

    /// One for each account.
    pub fn all(overview: &Overview, allowances: &OtpAllowances) -> Vec<Self> {
        let each = allowances.of.iter();
        each.map(|(account, allowance)| {
            let closed = overview.closed(account);
            let analytics = overview.analytics(account);
            Self {
                analytics: analytics.map(|status| AnalyticsView::of(status, overview.now.at)),
                ..Self::of(account, closed, allowance, allowances.budget, &overview.now)
            }
        })
        .collect()
    }

    pub fn of(
        account: &AccountId,
        closed: Option<&Cooldown>,
        allowance: &OtpAllowance,
        otp_budget: u32,
        now: &ClockReading,
    ) -> Self {
        let (otp_presses_left, budget_until) = match allowance {
            OtpAllowance::Left(left) => (*left, None),
            OtpAllowance::UsedUp { until } => (0, Some(*until)),
        };
        let stop = closed.filter(|closed| closed.is_stop());
        let cooldown = closed.filter(|closed| !closed.is_stop());
        let cooldown_until = cooldown.and_then(|closed| closed.until(now));
        let retry_at = cooldown_until.max(budget_until).filter(|_| stop.is_none());
        Self {
            account: account.to_string(),
            otp_presses_left,
            otp_budget,
            retry_at: retry_at.map(rfc3339_ist),
            retry_at_unix: retry_at.map(|at| at.timestamp()),
            cooldown: cooldown.map(|closed| ClosedView::of(closed, now)),
            stop: stop.map(|closed| ClosedView::of(closed, now)),
            analytics: None,
        }
    }
}

/// The accounts that are closed: the answer of `vega cooldown --json`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ClosedAccountsView {
    pub v: u8,
    pub closed: Vec<ClosedAccountView>,
}

/// An account that is closed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ClosedAccountView {
    pub account: String,
    #[serde(flatten)]
    pub closed: ClosedView,
}

impl ClosedAccountsView {
    pub fn of(closed: &[Cooldown], now: &ClockReading) -> Self {
        let closed = closed.iter().map(|closed| ClosedAccountView {
            account: closed.account.to_string(),
            closed: ClosedView::of(closed, now),
        });
        Self {
            v: 1,
            closed: closed.collect(),
        }
    }
}

/// Every API and account and what they come to, with the run that was carried out, is under way or was cut off: the answer of
/// `vega --json`, `vega status --json` and `vega verify --json`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StatusView {
    pub v: u8,
    pub verdict: VerdictView,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunView>,
    /// Why `vega` began no run, if it began none, or why its run broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    pub apis: Vec<ApiView>,
    pub accounts: Vec<AccountView>,
    pub database: DatabaseFaultsView,
}

/// Whether programs can trade with what is stored.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct VerdictView {
    pub ready: bool,
    /// When the first of the usable tokens dies, if all are usable.
    pub ready_until: Option<String>,
    pub ready_until_unix: Option<i64>,
    /// The APIs whose tokens programs do not get.
    pub not_ready: Vec<String>,
    /// The same in words, and what keeps it so.
    pub words: String,
}

/// A token for a program.
#[derive(Serialize, ToSchema)]
pub struct TokenView<'t> {
    pub v: u8,
    pub api: &'t str,
    /// The bearer token for Upstox.
    pub access_token: &'t str,
    /// What it opens: `trade`, or only `read`.
    pub kind: TokenKind,
    pub generation: u32,
    pub valid_until: String,
    pub valid_until_unix: i64,
}

impl<'t> TokenView<'t> {
    /// A token that a program asked for with the name of this API.
    pub fn of(api: &'t str, token: &'t StoredToken) -> Self {
        Self {
            v: 1,
            api,
            access_token: token.access_token.expose(),
            kind: token.kind().into(),
            generation: token.generation.get(),
            valid_until: rfc3339_ist(token.valid_until),
            valid_until_unix: token.valid_until.timestamp(),
        }
    }
}

/// The same with the answer to a report that Upstox refuses it, if there was one: the answer of `vega token --json`.
#[derive(Serialize, ToSchema)]
pub struct AnsweredTokenView<'t> {
    #[serde(flatten)]
    pub token: TokenView<'t>,
    pub answer: Option<TokenAnswer>,
}
