//! Why there is no token to serve, from the dashboard, and what to do next: in the words that programs get.

use chrono::{DateTime, TimeDelta, Utc};
use vega_api_types::{AccountView, AnalyticsView, ApiView, ClosedView, ProblemCode, Snapshot};
use vega_domain::expiry::in_ist;
use vega_domain::no_token::{Closed, NoToken, no_analytics_words, status_words};
use vega_domain::token::TokenStatus;
use vega_domain::token_kind::{TokenKind, WantedKind};

use crate::api::asked_token::{Asked, unknown_api};
use crate::http::problem::Problem;
use crate::server::Server;

/// Why there is no token to serve, from the dashboard.
pub(crate) fn why_not(server: &Server, asked: &Asked) -> Problem {
    let now = server.vega.clock.now();
    let problem = server.dashboard.look(|shown| {
        let api = shown.apis.iter().find(|view| view.api == asked.api.as_str())?;
        Some(cause(api, account_of(shown, api), asked.wanted, now))
    });
    problem.unwrap_or_else(|| unknown_api(server))
}

/// The same for who is told of changes: nothing while the dashboard does not know yet that there is none.
pub(crate) fn why_no_longer(server: &Server, asked: &Asked) -> Option<Problem> {
    let now = server.vega.clock.now();
    server.dashboard.look(|shown| {
        let api = shown.apis.iter().find(|view| view.api == asked.api.as_str())?;
        let account = account_of(shown, api);
        let has_analytics = account
            .and_then(|account| account.analytics.as_ref())
            .is_some_and(|analytics| analytics.servable);
        let is_there = asked.wanted.kinds().iter().any(|kind| match kind {
            TokenKind::Trade => api.servable,
            TokenKind::Read => has_analytics,
        });
        (!is_there).then(|| cause(api, account, asked.wanted, now))
    })
}

fn cause(api: &ApiView, account: Option<&AccountView>, wanted: WantedKind, now: DateTime<Utc>) -> Problem {
    match wanted {
        WantedKind::Trade | WantedKind::TradeOrRead => no_token(api, account, now),
        WantedKind::Read => no_analytics(
            &api.account,
            account.and_then(|account| account.analytics.as_ref()),
        ),
    }
}

fn no_analytics(account: &str, analytics: Option<&AnalyticsView>) -> Problem {
    let status = analytics.map(|analytics| analytics.status.into());
    let code = match status {
        Some(TokenStatus::Unknown) => ProblemCode::TokenUnknown,
        _ => ProblemCode::HumanNeeded,
    };
    Problem::new(code, format!("{}.", no_analytics_words(account, status)))
}

fn account_of<'s>(shown: &'s Snapshot, api: &ApiView) -> Option<&'s AccountView> {
    let mut accounts = shown.accounts.iter();
    accounts.find(|account| account.account == api.account)
}

fn no_token(api: &ApiView, account: Option<&AccountView>, now: DateTime<Utc>) -> Problem {
    let name = &api.api;
    let valid_until = api.valid_until_unix;
    let why = NoToken::of(
        api.status.into(),
        valid_until.and_then(|at| DateTime::from_timestamp(at, 0)),
        account.and_then(AccountView::closed),
        now,
    );
    let is = status_words(api.status.into());
    let closed = |does: &str, closed: &ClosedView| {
        format!(
            "The token of {name} is {is}, and account {} {does}: {}. {}",
            api.account, closed.failure.summary, closed.way_out
        )
    };
    match why {
        NoToken::Unknown => {
            let words = format!(
                "Upstox did not say whether the token of {name} is good. Vega asks again; so may you, with \
                 POST /api/v1/verifications."
            );
            Problem::new(ProblemCode::TokenUnknown, words).until(now + TimeDelta::seconds(5), now)
        }
        NoToken::Closed(Closed::Stop(stop)) => {
            Problem::new(ProblemCode::HumanNeeded, closed("is stopped", stop))
        }
        NoToken::Closed(Closed::Cooldown(cooldown)) => {
            let problem = Problem::new(ProblemCode::CoolingDown, closed("cools down", cooldown));
            let until = account.and_then(|account| account.retry_at_unix);
            match until.and_then(|at| DateTime::from_timestamp(at, 0)) {
                Some(until) => problem.until(until, now),
                None => problem,
            }
        }
        NoToken::NotBefore(from) => {
            let words = format!(
                "The token of {name} is {is}. Run `vega {name}`, or start a run in the console, from {} IST on, and sign in.",
                in_ist(from).format("%H:%M")
            );
            Problem::new(ProblemCode::HumanNeeded, words)
        }
        NoToken::SignIn => {
            let words = format!(
                "The token of {name} is {is}. Run `vega {name}`, or start a run in the console, and sign in."
            );
            Problem::new(ProblemCode::HumanNeeded, words)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::header;
    use axum::response::IntoResponse;
    use vega_domain::clock_reading::ClockReading;
    use vega_domain::cooldown::{AccountHold, Cooldown};
    use vega_domain::failure::{Failure, FailureReason};
    use vega_domain::ids::{AccountId, ApiName, MobileNumber};
    use vega_domain::sign_in::OtpAllowance;
    use vega_domain::token::ApiStatus;

    use super::*;

    /// PRIMARY's token so, and its account closed so, 40 seconds before the token's last minute is over.
    fn problem(status: TokenStatus, hold: Option<(AccountHold, FailureReason)>) -> Problem {
        let at = DateTime::parse_from_rfc3339("2026-11-24T03:29:20+05:30").unwrap();
        let now = ClockReading::by_wall_clock(at.to_utc());
        let account = AccountId::new("default").unwrap();
        let closed = hold.map(|(hold, reason)| Cooldown {
            account: account.clone(),
            mobile_number: MobileNumber::new("9000000001").unwrap(),
            since: now.clone(),
            hold,
            failure: Failure::new(reason, ""),
        });
        let status = ApiStatus {
            api: ApiName::new("PRIMARY").unwrap(),
            account: account.clone(),
            status,
            servable: false,
            generation: None,
            valid_until: Some(now.at + TimeDelta::seconds(40)),
            verified_at: None,
            last_check: None,
            last_failure: None,
            last_attempt: None,
        };
        let account = AccountView::of(&account, closed.as_ref(), &OtpAllowance::Left(1), 4, &now);
        no_token(&ApiView::of(&status, None), Some(&account), now.at)
    }

    #[tokio::test]
    async fn each_cause_of_no_token_has_its_code_and_its_way_out() {
        let length = Duration::from_mins(11);
        let cooldown = (AccountHold::Cooldown { length }, FailureReason::Throttled);
        let stop = (AccountHold::Stop, FailureReason::PinRefused);
        let mut told = Vec::new();
        for problem in [
            problem(TokenStatus::Unknown, None),
            problem(TokenStatus::Invalid, Some(stop)),
            problem(TokenStatus::Missing, Some(cooldown)),
            problem(TokenStatus::Valid, None),
            problem(TokenStatus::Expired, None),
        ] {
            let answer = problem.into_response();
            let retry_after = answer.headers().get(header::RETRY_AFTER).cloned();
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX)
                .await
                .unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let (status, code, detail) = (&body["status"], &body["code"], &body["detail"]);
            told.push(format!("{status} {code}, retry after {retry_after:?}: {detail}"));
        }
        insta::assert_snapshot!(told.join("\n"));
    }
}
