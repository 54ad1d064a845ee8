//! How statuses and runs look: text for people, and for programs the shapes of `vega-api-types`.

mod advice;
mod files;
mod status_table;
mod verdict;

pub(crate) mod earlier_runs;

use vega_api_types::{AccountView, ApiView, DatabaseFaultsView, RunView, StatusView};
use vega_bootstrap::{Findings, SigningIn, StoredState};
use vega_domain::expiry::in_ist;
use vega_domain::overview::Overview;
use vega_domain::plan_estimate::PlanEstimate;

pub(crate) use self::advice::{advice, analytics, closed, signing_in, stopped, with_advice};
pub(crate) use self::files::{file_problems, files};
pub(crate) use self::status_table::table;
pub(crate) use self::verdict::Verdict;
use crate::command_error::CommandError;

/// The answer of `generate --json` with its run, and of `status --json` and `verify --json` with the one that has not ended.
pub(crate) async fn as_json(
    stored: &StoredState,
    overview: &Overview,
    verdict: &Verdict,
    run: Option<RunView>,
    findings: Findings,
) -> Result<StatusView, CommandError> {
    Ok(StatusView {
        v: 1,
        verdict: verdict.view(),
        run,
        outcome: None,
        apis: ApiView::all(overview),
        accounts: AccountView::all(overview, &stored.overview.allowances(&overview.now).await?),
        database: DatabaseFaultsView::of(&findings.faults, findings.missing_checkpoint),
    })
}

/// The run that has not ended, another process's too.
pub(crate) fn run_of(signing_in: &SigningIn) -> Option<RunView> {
    match signing_in {
        SigningIn::Nobody | SigningIn::Busy(_) => None,
        SigningIn::Run(run) => Some(RunView::stored(run)),
        SigningIn::CutOff(run) => Some(RunView::cut_off(run)),
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
    use std::collections::HashMap;
    use std::path::PathBuf;

    use chrono::DateTime;
    use vega_domain::clock_reading::ClockReading;
    use vega_domain::cooldown::{AccountHold, Cooldown};
    use vega_domain::failure::{Failure, FailureReason};
    use vega_domain::ids::{AccountId, ApiName, Generation, MobileNumber};
    use vega_domain::overview::OtpAllowances;
    use vega_domain::row_faults::RowFaults;
    use vega_domain::sign_in::OtpAllowance;
    use vega_domain::token::{ApiStatus, TokenStatus};

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
            hold: AccountHold::Stop,
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
        let allowances = OtpAllowances {
            of: vec![(stop().account, OtpAllowance::Left(3))],
            budget: 4,
        };
        let report = |evidence: HashMap<ApiName, PathBuf>| {
            let overview = Overview {
                configured: 3,
                statuses: three().to_vec(),
                analytics: Vec::new(),
                evidence,
                closed: vec![stop()],
                now: stop().since,
            };
            StatusView {
                v: 1,
                verdict: Verdict::of(&overview, &SigningIn::Nobody).view(),
                run: None,
                outcome: None,
                apis: ApiView::all(&overview),
                accounts: AccountView::all(&overview, &allowances),
                database: DatabaseFaultsView::of(&RowFaults::default(), None),
            }
        };
        insta::assert_json_snapshot!(report(evidence()));
        let without = serde_json::to_value(report(HashMap::new())).unwrap();
        assert!(
            without["apis"][1]["last_failure"]["evidence"].is_null(),
            "{without}"
        );
    }
}
