//! What people are told beside the table: what failed and what to do next, what closes an account and what lifts it, and
//! what a run does that has not ended. One refusal is told once.

use std::collections::HashMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use vega_bootstrap::SigningIn;
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::Cooldown;
use vega_domain::expiry::{day_start, in_ist};
use vega_domain::failure::Failure;
use vega_domain::ids::ApiName;
use vega_domain::no_token::status_words;
use vega_domain::run::{RunRecord, RunState, StepState};
use vega_domain::token::{ApiStatus, TokenStatus};
use vega_domain::token_kind::ending_within_days;

/// How an account's analytics token stands, and what to do before it ends.
pub(crate) fn analytics(status: &ApiStatus, now: DateTime<Utc>) -> String {
    let account = &status.account;
    let day = |at| in_ist(at).format("%d %b %Y").to_string();
    let until = status.valid_until.map(day).unwrap_or_default();
    let another =
        format!("Make a new one on Upstox's page, and give it to Vega: `vega adopt --analytics {account}`");
    let ends_soon = status.valid_until.and_then(|end| ending_within_days(end, now));
    match (status.status, ends_soon) {
        (TokenStatus::Valid, None) => format!("Account {account} has an analytics token until {until}."),
        (TokenStatus::Valid, Some(days)) => {
            let left = if days == 1 {
                "a day".to_owned()
            } else {
                format!("{days} days")
            };
            format!(
                "warning: the analytics token of account {account} ends within {left}, on {until}. {another}."
            )
        }
        (TokenStatus::Unknown, _) => {
            format!(
                "The analytics token of account {account} (until {until}) was not confirmed when Upstox was asked last."
            )
        }
        (TokenStatus::Expired | TokenStatus::Invalid | TokenStatus::Missing, _) => {
            format!(
                "The analytics token of account {account} is {}. {another}.",
                status_words(status.status)
            )
        }
    }
}

/// What failed and what to do next, and where evidence of it was kept. What closes an account is told with the account.
pub(crate) fn advice(
    statuses: &[ApiStatus],
    evidence: &HashMap<ApiName, PathBuf>,
    closed: &[Cooldown],
) -> Vec<String> {
    let is_told = |status: &ApiStatus, failure: &Failure| {
        let mut of_account = closed.iter().filter(|closed| closed.account == status.account);
        of_account.any(|closed| closed.failure == *failure)
    };
    let with_failure = statuses
        .iter()
        .filter_map(|status| Some((status, status.last_failure.as_ref()?)));
    let failures = with_failure
        .flat_map(|(status, failure)| {
            let record = evidence.get(&status.api);
            let advice = match (is_told(status, failure), record) {
                (false, _) => Some(format!("{}: {}", status.api, with_advice(failure))),
                (true, Some(_)) => Some(format!("{}: {}.", status.api, failure.reason.summary())),
                (true, None) => None,
            };
            let pointer = record.map(|record| format!("  Evidence: {}", record.display()));
            [advice, pointer]
        })
        .flatten();
    let unsettled = statuses.iter().filter_map(|status| {
        let failure = status.check_failure()?;
        Some(format!("{}: {}", status.api, with_advice(&failure)))
    });
    failures.chain(unsettled).collect()
}

/// Who signs in now, if anybody does, and what was left by one that did.
pub(crate) fn signing_in(signing_in: &SigningIn, now: DateTime<Utc>) -> Option<String> {
    match signing_in {
        SigningIn::Nobody => None,
        SigningIn::Busy(holder) => Some(format!("Another Vega is busy with sign-ins: {holder}.")),
        SigningIn::Run(run) => Some(run_under_way(run)),
        SigningIn::CutOff(run) if run.started_at < day_start(now) => Some(format!(
            "The run of {} IST was cut off, and 03:30 IST came after {} of {} tokens: `vega` begins a new one.",
            in_ist(run.started_at).format("%-d %b %H:%M"),
            run.settled(),
            run.steps.len()
        )),
        SigningIn::CutOff(run) => Some(format!(
            "A run that began at {} IST was cut off: {} of {} tokens are there. `vega` goes on with it.",
            in_ist(run.started_at).format("%H:%M"),
            run.settled(),
            run.steps.len()
        )),
    }
}

/// What a run that has not ended is doing, another process's too.
fn run_under_way(run: &RunRecord) -> String {
    let now: Vec<String> = run
        .steps
        .iter()
        .filter_map(|step| {
            let doing = match step.state {
                StepState::SigningIn => "is being signed in for",
                StepState::Exchanging | StepState::Verifying => "gets its token",
                _ => return None,
            };
            Some(format!("{} {doing}", step.api))
        })
        .collect();
    let doing = match (run.state, now.is_empty()) {
        (RunState::Waiting, _) => {
            "it waits until an account can sign in again, and goes on by itself".to_owned()
        }
        (_, true) => "it is between two sign-ins".to_owned(),
        (_, false) => now.join(", "),
    };
    format!(
        "A run that began at {} IST has not ended: {} of {} tokens are there; {doing}. `vega cancel`, or the button in the \
         console, ends it.",
        in_ist(run.started_at).format("%H:%M"),
        run.settled(),
        run.steps.len()
    )
}

/// What went wrong, and what to do next. The page's words may end with a full stop of their own.
pub(crate) fn with_advice(failure: &Failure) -> String {
    let words = failure.to_string();
    format!("{}. {}", words.trim_end_matches('.'), failure.reason.advice())
}

/// Why an account is closed, and what opens it.
pub(crate) fn closed(closed: &Cooldown, now: &ClockReading) -> String {
    match closed.until(now) {
        None => stopped(closed),
        Some(until) => format!(
            "Account {} cools down until {} IST: {}. {}",
            closed.account,
            in_ist(until).format("%H:%M:%S"),
            closed.failure.to_string().trim_end_matches('.'),
            closed.way_out()
        ),
    }
}

/// Why an account is stopped, and what opens it.
pub(crate) fn stopped(stop: &Cooldown) -> String {
    format!(
        "Account {} has been stopped since {} IST: {} {}",
        stop.account,
        in_ist(stop.since.at).format("%d %b %H:%M"),
        with_advice(&stop.failure),
        stop.way_out()
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;
    use vega_domain::cooldown::AccountHold;
    use vega_domain::failure::FailureReason;
    use vega_domain::ids::{AccountId, MobileNumber, RunId};
    use vega_domain::ports::LeaseHolder;
    use vega_domain::run::StepRecord;
    use vega_domain::token::TokenStatus;

    use super::*;

    fn api(name: &str) -> ApiName {
        ApiName::new(name).unwrap()
    }

    fn throttled() -> Failure {
        Failure::new(FailureReason::Throttled, "the page's words")
    }

    #[test]
    fn what_closes_an_account_is_told_once() {
        let status = ApiStatus {
            api: api("PRIMARY"),
            account: AccountId::new("default").unwrap(),
            status: TokenStatus::Missing,
            servable: false,
            generation: None,
            valid_until: None,
            verified_at: None,
            last_check: None,
            last_failure: Some(throttled()),
            last_attempt: None,
        };
        let mut cooldown = Cooldown {
            account: status.account.clone(),
            mobile_number: MobileNumber::new("9000000001").unwrap(),
            since: ClockReading::by_wall_clock(DateTime::UNIX_EPOCH),
            hold: AccountHold::Cooldown {
                length: Duration::from_mins(11),
            },
            failure: throttled(),
        };
        let statuses = [status];
        let none = HashMap::new();
        assert_eq!(advice(&statuses, &none, std::slice::from_ref(&cooldown)), [""; 0]);
        let evidence = HashMap::from([(api("PRIMARY"), PathBuf::from("/x.json"))]);
        assert_eq!(
            advice(&statuses, &evidence, std::slice::from_ref(&cooldown)),
            ["PRIMARY: Upstox throttled the sign-in.", "  Evidence: /x.json"]
        );
        let words = closed(&cooldown, &ClockReading::by_wall_clock(DateTime::UNIX_EPOCH));
        assert_eq!(words.matches("the page's words").count(), 1, "{words}");
        assert!(
            words.contains("`vega cooldown clear default --reason TEXT`"),
            "{words}"
        );

        cooldown.failure = Failure::new(FailureReason::PinTimeout, "");
        assert_eq!(
            advice(&statuses, &none, &[cooldown]).len(),
            1,
            "that is another one"
        );
    }

    #[test]
    fn a_run_that_has_not_ended_is_told_of() {
        let step = |name: &str, state| StepRecord {
            api: api(name),
            account: AccountId::new("default").unwrap(),
            state,
        };
        let mut run = RunRecord {
            id: RunId::at(DateTime::UNIX_EPOCH),
            state: RunState::Running,
            started_at: DateTime::UNIX_EPOCH,
            finished_at: None,
            steps: vec![
                step("PRIMARY", StepState::Done),
                step("WEBSOCKET1", StepState::SigningIn),
            ],
        };
        let words = run_under_way(&run);
        let expected = "A run that began at 05:30 IST has not ended: 1 of 2 tokens are there; WEBSOCKET1 is being signed in \
                        for. `vega cancel`, or the button in the console, ends it.";
        assert_eq!(words, expected);
        let told = [
            SigningIn::Nobody,
            SigningIn::Busy(LeaseHolder {
                pid: 4711,
                host: "desk1".into(),
                since: DateTime::UNIX_EPOCH,
                is_this_process: false,
            }),
            SigningIn::CutOff(run.clone()),
        ]
        .map(|who| signing_in(&who, DateTime::UNIX_EPOCH).unwrap_or_default());
        let next_day = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let told = [
            told.join("\n"),
            signing_in(&SigningIn::CutOff(run.clone()), next_day).unwrap(),
        ];
        insta::assert_snapshot!(told.join("\n"));
        run.state = RunState::Waiting;
        run.steps[1].state = StepState::Pending;
        let words = run_under_way(&run);
        assert!(
            words.contains("goes on by itself") && !words.contains("enerate"),
            "{words}"
        );
    }
}
