//! How statuses and runs look: text for people, an object with `"v": 1` for programs. Fields are only ever added.

mod advice;
mod status_table;
mod verdict;

use std::path::PathBuf;

use serde::Serialize;
use vega_bootstrap::{RowFaults, RowScope, Vega};
use vega_domain::account::Account;
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::Cooldown;
use vega_domain::expiry::{in_ist, rfc3339_ist};
use vega_domain::failure::Failure;
use vega_domain::ids::Generation;
use vega_domain::plan_estimate::PlanEstimate;
use vega_domain::run::RunRecord;
use vega_domain::sign_in::OtpAllowance;
use vega_domain::token::ApiStatus;

pub(crate) use self::advice::{advice, closed, run_under_way, stopped, with_advice};
pub(crate) use self::status_table::table;
use self::verdict::{Verdict, VerdictReport};
use crate::audit::{RowReport, row_reports};
use crate::command_error::CommandError;

/// The answer of `status --json`; `generate --json` adds the run.
#[derive(Serialize)]
pub(crate) struct Report {
    v: u8,
    verdict: VerdictReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunReport>,
    apis: Vec<ApiReport>,
    accounts: Vec<AccountReport>,
    /// Whether the database is what Vega wrote last.
    database: DatabaseReport,
}

#[derive(Serialize)]
struct DatabaseReport {
    /// Why nothing in it counts, if it is so.
    problem: Option<String>,
    /// The rows that count for nothing.
    rows: Vec<RowReport>,
    /// Why an older copy of the database could come back unnoticed, if it is so.
    checkpoint: Option<String>,
}

#[derive(Serialize)]
struct ApiReport {
    api: String,
    account: String,
    status: &'static str,
    servable: bool,
    valid_until: Option<String>,
    valid_until_unix: Option<i64>,
    generation: Option<u32>,
    verified_at: Option<String>,
    checked_at: Option<String>,
    checked_at_unix: Option<i64>,
    check_failure: Option<FailureReport>,
    last_failure: Option<LastFailureReport>,
}

#[derive(Serialize)]
struct LastFailureReport {
    #[serde(flatten)]
    failure: FailureReport,
    evidence: Option<String>,
}

#[derive(Serialize)]
struct FailureReport {
    reason: &'static str,
    detail: String,
    next: &'static str,
}

#[derive(Serialize)]
struct AccountReport {
    account: String,
    otp_presses_left: u32,
    /// When a sign-in is possible again, where time alone makes it so.
    retry_at: Option<String>,
    retry_at_unix: Option<i64>,
    cooldown_until: Option<String>,
    cooldown: Option<StopReport>,
    stop: Option<StopReport>,
}

/// The answer of `cooldown --json`.
#[derive(Serialize)]
pub(crate) struct ClosedAccounts {
    v: u8,
    closed: Vec<ClosedAccount>,
}

#[derive(Serialize)]
struct ClosedAccount {
    account: String,
    /// Null for a stop, which only the operator ends.
    until: Option<String>,
    until_unix: Option<i64>,
    #[serde(flatten)]
    why: StopReport,
}

impl ClosedAccounts {
    pub(crate) fn new(closed: &[Cooldown], now: &ClockReading) -> Self {
        let closed = closed.iter().map(|closed| {
            let until = closed.until(now);
            ClosedAccount {
                account: closed.account.to_string(),
                until: until.map(rfc3339_ist),
                until_unix: until.map(|until| until.timestamp()),
                why: stop_report(closed),
            }
        });
        Self {
            v: 1,
            closed: closed.collect(),
        }
    }
}

#[derive(Serialize)]
struct StopReport {
    since: String,
    #[serde(flatten)]
    failure: FailureReport,
}

#[derive(Serialize)]
struct RunReport {
    id: String,
    state: &'static str,
    started_at: String,
    steps: Vec<StepReport>,
}

#[derive(Serialize)]
struct StepReport {
    api: String,
    account: String,
    state: &'static str,
    reason: Option<&'static str>,
    detail: Option<String>,
}

impl Report {
    pub(crate) async fn new(
        vega: &Vega,
        statuses: &[ApiStatus],
        run: Option<&RunRecord>,
    ) -> Result<Self, CommandError> {
        let closed = vega.cooldowns.closed().await?;
        let evidence = vega.evidence.of(statuses).await?;
        let mut accounts = Vec::new();
        for account in vega.settings.accounts.iter() {
            let closed = closed.iter().find(|closed| closed.account == account.id);
            accounts.push(account_report(
                account,
                closed,
                vega.otp_allowance(account).await?,
                &vega.clock.reading(),
            ));
        }
        Ok(Self {
            v: 1,
            verdict: verdict(vega, statuses, &closed).report(),
            run: run.map(run_report),
            apis: statuses
                .iter()
                .map(|status| api_report(status, evidence.get(&status.api)))
                .collect(),
            accounts,
            database: database_report(
                &vega.maintenance.row_faults(RowScope::Deciding).await?,
                vega.maintenance.missing_checkpoint().await,
            ),
        })
    }
}

/// Over what is shown now.
pub(crate) fn verdict(vega: &Vega, statuses: &[ApiStatus], closed: &[Cooldown]) -> Verdict {
    let accounts = vega.settings.accounts.iter();
    let configured = accounts.map(|account| account.apis.len()).sum();
    Verdict::of(statuses, configured, closed, &vega.clock.reading())
}

fn database_report(faults: &RowFaults, checkpoint: Option<String>) -> DatabaseReport {
    DatabaseReport {
        problem: faults.database.clone(),
        rows: row_reports(faults),
        checkpoint,
    }
}

fn account_report(
    account: &Account,
    closed: Option<&Cooldown>,
    allowance: OtpAllowance,
    now: &ClockReading,
) -> AccountReport {
    let cooldown_until = closed.and_then(|closed| closed.until(now));
    let (otp_presses_left, budget_until) = match allowance {
        OtpAllowance::Left(left) => (left, None),
        OtpAllowance::UsedUp { until } => (0, Some(until)),
    };
    let stop = closed.filter(|closed| closed.is_stop());
    let retry_at = cooldown_until.max(budget_until).filter(|_| stop.is_none());
    AccountReport {
        account: account.id.to_string(),
        otp_presses_left,
        retry_at: retry_at.map(rfc3339_ist),
        retry_at_unix: retry_at.map(|at| at.timestamp()),
        cooldown_until: cooldown_until.map(rfc3339_ist),
        cooldown: closed.filter(|closed| !closed.is_stop()).map(stop_report),
        stop: stop.map(stop_report),
    }
}

fn api_report(status: &ApiStatus, evidence: Option<&PathBuf>) -> ApiReport {
    let last_failure = status.last_failure.as_ref();
    ApiReport {
        api: status.api.to_string(),
        account: status.account.to_string(),
        status: status.status.as_str(),
        servable: status.servable,
        valid_until: status.valid_until.map(rfc3339_ist),
        valid_until_unix: status.valid_until.map(|at| at.timestamp()),
        generation: status.generation.map(Generation::get),
        verified_at: status.verified_at.map(rfc3339_ist),
        checked_at: status.last_check.map(|check| rfc3339_ist(check.at)),
        checked_at_unix: status.last_check.map(|check| check.at.timestamp()),
        check_failure: status.check_failure().as_ref().map(failure_report),
        last_failure: last_failure.map(|failure| LastFailureReport {
            failure: failure_report(failure),
            evidence: evidence.map(|record| record.display().to_string()),
        }),
    }
}

fn stop_report(stop: &Cooldown) -> StopReport {
    StopReport {
        since: rfc3339_ist(stop.since.at),
        failure: failure_report(&stop.failure),
    }
}

fn failure_report(failure: &Failure) -> FailureReport {
    FailureReport {
        reason: failure.reason.code(),
        detail: failure.detail.clone(),
        next: failure.reason.advice(),
    }
}

fn run_report(run: &RunRecord) -> RunReport {
    RunReport {
        id: run.id.to_string(),
        state: run.state.as_str(),
        started_at: rfc3339_ist(run.started_at),
        steps: run
            .steps
            .iter()
            .map(|step| {
                let (reason, detail) = step.state.reason();
                StepReport {
                    api: step.api.to_string(),
                    account: step.account.to_string(),
                    state: step.state.as_str(),
                    reason,
                    detail: detail.map(str::to_owned),
                }
            })
            .collect(),
    }
}

/// What a plan for so many APIs will take.
pub(crate) fn estimate(estimate: &PlanEstimate, apis: usize) -> String {
    let (at_least, at_most) = (estimate.presses_at_least, estimate.presses_at_most);
    let otps = match (at_least, at_most) {
        (1, 1) => "one OTP".to_owned(),
        (at_least, at_most) if at_least == at_most => format!("{at_least} OTPs"),
        (at_least, at_most) => format!(
            "{at_least} OTP{} if the session spares the others, {at_most} at most",
            if at_least == 1 { "" } else { "s" }
        ),
    };
    let clock = |at| in_ist(at).format("%H:%M").to_string();
    let wait = estimate.waits_until.map_or(String::new(), |until| {
        let later = estimate.apis_later as usize;
        format!(
            "{} now, {later} by itself at {} IST. ",
            apis.saturating_sub(later),
            clock(until)
        )
    });
    let what = if apis == 1 {
        "Done".to_owned()
    } else {
        format!("All {apis} done")
    };
    format!(
        "This takes {otps}; {} may be asked for now. {wait}{what} by about {} IST.",
        estimate.presses_left,
        clock(estimate.finish)
    )
}

#[cfg(test)]
mod tests {
    use vega_domain::failure::FailureReason;
    use vega_domain::ids::{AccountId, ApiName, MobileNumber};
    use vega_domain::token::TokenStatus;

    use std::collections::HashMap;

    use chrono::DateTime;

    use super::*;

    fn status(api: &str, status: TokenStatus, generation: Option<u32>) -> ApiStatus {
        let at = DateTime::parse_from_rfc3339("2026-11-24T03:30:00+05:30")
            .unwrap()
            .to_utc();
        ApiStatus {
            api: ApiName::new(api).unwrap(),
            account: AccountId::new("default").unwrap(),
            status,
            servable: status == TokenStatus::Valid,
            generation: generation.map(|number| Generation::new(number).unwrap()),
            valid_until: generation.map(|_| at),
            verified_at: generation.map(|_| at - chrono::TimeDelta::hours(18)),
            last_check: None,
            last_failure: (status == TokenStatus::Missing)
                .then(|| Failure::new(FailureReason::Throttled, "the page's words")),
            last_attempt: None,
        }
    }

    fn three() -> [ApiStatus; 3] {
        [
            status("PRIMARY", TokenStatus::Valid, Some(3)),
            status("WEBSOCKET1", TokenStatus::Missing, None),
            status("OPTIONCHAIN1", TokenStatus::Expired, Some(12)),
        ]
    }

    fn evidence() -> HashMap<ApiName, PathBuf> {
        let record = "/data/vega_trade.evidence/20261124T084501.123-WEBSOCKET1-throttled.json";
        HashMap::from([(ApiName::new("WEBSOCKET1").unwrap(), record.into())])
    }

    #[test]
    fn the_table_is_readable_wide_and_narrow() {
        insta::assert_snapshot!("table_wide", table(&three(), 100, false));
        insta::assert_snapshot!("table_narrow", table(&three(), 40, false));
    }

    #[test]
    fn colours_change_no_width() {
        for width in [100, 40] {
            let plain = table(&three(), width, false);
            let colourful = table(&three(), width, true);
            assert!(colourful.contains("\u{1b}[32mvalid"), "{colourful}");
            assert_eq!(console::strip_ansi_codes(&colourful), plain);
        }
    }

    #[test]
    fn what_a_plan_takes_is_said_in_one_line() {
        let at = |minutes| DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(minutes);
        let mut plan = PlanEstimate {
            presses_at_least: 1,
            presses_at_most: 6,
            presses_left: 4,
            finish: at(197),
            takes: chrono::TimeDelta::minutes(197),
            waits_until: None,
            apis_later: 0,
            closed_until: None,
        };
        let mut said = vec![estimate(&plan, 6)];
        plan.waits_until = Some(at(208));
        plan.apis_later = 2;
        plan.presses_left = 0;
        said.push(estimate(&plan, 6));
        plan = PlanEstimate {
            presses_at_most: 1,
            waits_until: None,
            ..plan
        };
        said.push(estimate(&plan, 1));
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn a_failure_comes_with_what_to_do_next() {
        insta::assert_snapshot!(advice(&three(), &HashMap::new(), &[]).join("\n"));
        insta::assert_snapshot!(
            "a_failure_with_evidence",
            advice(&three(), &evidence(), &[]).join("\n")
        );
    }

    fn stop() -> Cooldown {
        let since = DateTime::parse_from_rfc3339("2026-11-23T08:47:00+05:30").unwrap();
        Cooldown {
            account: AccountId::new("default").unwrap(),
            mobile_number: MobileNumber::new("9000000001").unwrap(),
            since: ClockReading::by_wall_clock(since.to_utc()),
            length: None,
            failure: Failure::new(
                FailureReason::PinRefused,
                "Incorrect PIN. You have 4 attempts left.",
            ),
        }
    }

    #[test]
    fn a_stop_comes_with_what_opens_it() {
        insta::assert_snapshot!(stopped(&stop()));
    }

    #[test]
    fn the_json_shape_is_fixed() {
        let report = |evidence: &HashMap<ApiName, PathBuf>| Report {
            v: 1,
            verdict: Verdict::of(&three(), 3, &[stop()], &stop().since).report(),
            run: None,
            apis: three()
                .iter()
                .map(|status| api_report(status, evidence.get(&status.api)))
                .collect(),
            accounts: vec![AccountReport {
                account: "default".into(),
                otp_presses_left: 3,
                retry_at: None,
                retry_at_unix: None,
                cooldown_until: None,
                cooldown: None,
                stop: Some(stop_report(&stop())),
            }],
            database: database_report(&RowFaults::default(), None),
        };
        insta::assert_json_snapshot!(report(&evidence()));
        let without = serde_json::to_value(report(&HashMap::new())).unwrap();
        assert!(
            without["apis"][1]["last_failure"]["evidence"].is_null(),
            "{without}"
        );
    }
}
