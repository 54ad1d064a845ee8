//! Which statuses plan which sign-ins, and what a standing yes covers of them.

use crate::cooldown::AccountHold;
use rstest::rstest;

use super::*;
use crate::account::{Api, RedirectUri};
use crate::failure::FailureReason;
use crate::ids::{AttemptId, ClientId, MobileNumber};
use crate::secret::ClientSecret;

fn name(text: &str) -> ApiName {
    ApiName::new(text).unwrap()
}

fn account(id: &str, apis: &[&str]) -> Account {
    Account {
        id: AccountId::new(id).unwrap(),
        mobile_number: MobileNumber::new("9000000001").unwrap(),
        user_id: None,
        route: crate::account::Route::Webdriver,
        apis: apis
            .iter()
            .map(|api| Api {
                name: name(api),
                client_id: ClientId::new(*api).unwrap(),
                client_secret: ClientSecret::new("s"),
                redirect_uri: RedirectUri::new("http://localhost/cb").unwrap(),
            })
            .collect(),
    }
}

fn statuses(of: &[(&str, TokenStatus)]) -> Vec<ApiStatus> {
    of.iter()
        .map(|(api, status)| ApiStatus {
            api: name(api),
            account: AccountId::new("a").unwrap(),
            status: *status,
            servable: false,
            generation: None,
            valid_until: None,
            verified_at: None,
            last_check: None,
            last_failure: None,
            last_attempt: None,
        })
        .collect()
}

use TokenStatus::{Expired, Invalid, Missing, Unknown, Valid};

#[rstest]
#[case::first_morning(&[("A", Missing), ("B", Missing), ("C", Missing)], &["A", "B", "C"])]
#[case::only_the_dead(&[("A", Valid), ("B", Expired), ("C", Invalid)], &["B", "C"])]
#[case::unknown_is_left_alone(&[("A", Unknown), ("B", Expired), ("C", Valid)], &["B"])]
#[case::configured_order(&[("C", Missing), ("A", Missing), ("B", Valid)], &["A", "C"])]
#[case::chosen_only(&[("C", Missing)], &["C"])]
fn only_dead_tokens_are_planned(#[case] given: &[(&str, TokenStatus)], #[case] planned: &[&str]) {
    let accounts = [account("a", &["A", "B"]), account("b", &["C"])];
    let Decision::SignIn(plan) = decide(&accounts, &statuses(given), NOBODY, Wanted::default()) else {
        panic!("a dead token must be planned");
    };
    let names: Vec<&str> = plan.apis().iter().map(|api| api.api.as_str()).collect();
    assert_eq!(names, planned);
}

#[test]
fn nothing_dead_means_no_sign_in() {
    let accounts = [account("a", &["A", "B"])];
    assert_eq!(
        decide(
            &accounts,
            &statuses(&[("A", Valid), ("B", Valid)]),
            NOBODY,
            Wanted::default()
        ),
        Decision::AllValid
    );
    assert_eq!(
        decide(
            &accounts,
            &statuses(&[("A", Unknown), ("B", Valid)]),
            NOBODY,
            Wanted::default()
        ),
        Decision::OnlyUnknown(vec![name("A")])
    );
}

#[rstest]
#[case::lost_answer(FailureReason::OutcomeUnknown, &["B"])]
#[case::past_the_press(FailureReason::InterruptedPastPress, &["B"])]
#[case::before_the_press(FailureReason::Interrupted, &["A", "B"])]
#[case::throttled(FailureReason::Throttled, &["A", "B"])]
fn what_may_have_spent_an_otp_needs_a_yes_of_its_own(
    #[case] reason: FailureReason,
    #[case] covered: &[&str],
) {
    let accounts = [account("a", &["A", "B"])];
    let mut given = statuses(&[("A", Missing), ("B", Missing)]);
    given[0].last_failure = Some(Failure::new(reason, "words"));
    let planned = |again: &[ApiName]| {
        let wanted = Wanted {
            again,
            ..Wanted::default()
        };
        let Decision::SignIn(plan) = decide(&accounts, &given, NOBODY, wanted) else {
            panic!("planned");
        };
        assert_eq!(plan.names(), "A, B", "an interactive yes covers all");
        plan.for_a_standing_yes().unwrap().names()
    };
    assert_eq!(planned(&[]), covered.join(", "));
    assert_eq!(planned(&[name("A")]), "A, B", "the operator named it");
}

#[rstest]
#[case::none_and_none(None, FailureReason::Throttled, false)]
#[case::none_unresolved_before(None, FailureReason::OutcomeUnknown, true)]
#[case::another_failure_before(Some(FailureReason::Throttled), FailureReason::InterruptedPastPress, true)]
#[case::another_unresolved_before(Some(FailureReason::NeedsReview), FailureReason::OutcomeUnknown, true)]
#[case::the_same_unresolved(Some(FailureReason::OutcomeUnknown), FailureReason::OutcomeUnknown, false)]
fn an_unresolved_outcome_that_came_after_the_plan_is_told_from_one_that_it_knew(
    #[case] before: Option<FailureReason>,
    #[case] by_now: FailureReason,
    #[case] is_unresolved: bool,
) {
    let accounts = [account("a", &["A"])];
    let mut given = statuses(&[("A", Missing)]);
    given[0].last_failure = before.map(|reason| Failure::new(reason, "words"));
    // Whoever names an API to be signed in for again knows what was, and not what comes.
    for again in [&[][..], &[name("A")]] {
        let wanted = Wanted {
            again,
            ..Wanted::default()
        };
        let Decision::SignIn(plan) = decide(&accounts, &given, NOBODY, wanted) else {
            panic!("planned");
        };
        let mut later = given[0].clone();
        later.last_failure = Some(Failure::new(by_now, "words"));
        let unresolved = plan.apis()[0].unresolved_since(&later);
        assert_eq!(unresolved, later.last_failure.filter(|_| is_unresolved));
    }
}

#[test]
fn two_unresolved_outcomes_in_the_same_words_are_two() {
    let accounts = [account("a", &["A"])];
    let mut given = statuses(&[("A", Missing)]);
    let unresolved = Failure::new(FailureReason::InterruptedPastPress, "");
    given[0].last_failure = Some(unresolved.clone());
    given[0].last_attempt = Some(AttemptId::at(DateTime::UNIX_EPOCH));
    let Decision::SignIn(plan) = decide(&accounts, &given, NOBODY, Wanted::default()) else {
        panic!("planned");
    };
    assert_eq!(plan.apis()[0].unresolved_since(&given[0]), None);
    given[0].last_attempt = Some(AttemptId::at(DateTime::UNIX_EPOCH));
    assert_eq!(plan.apis()[0].unresolved_since(&given[0]), Some(unresolved));
}

#[test]
fn accounts_are_named_once() {
    let accounts = [account("a", &["A", "B"]), account("b", &["C"])];
    let Decision::SignIn(plan) = decide(
        &accounts,
        &statuses(&[("A", Missing), ("B", Missing), ("C", Missing)]),
        NOBODY,
        Wanted::default(),
    ) else {
        panic!("planned");
    };
    let names: Vec<&str> = plan.accounts().iter().map(|id| id.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn a_valid_token_is_replaced_only_by_force_and_an_unknown_one_never() {
    let accounts = [account("a", &["A", "B", "C"])];
    let given = statuses(&[("A", Valid), ("B", Unknown), ("C", Expired)]);
    let force = ForceReason::new("the token leaked").unwrap();
    let Decision::SignIn(plan) = decide(
        &accounts,
        &given,
        NOBODY,
        Wanted {
            force: Some(&force),
            ..Wanted::default()
        },
    ) else {
        panic!("planned");
    };
    let causes: Vec<_> = plan
        .apis()
        .iter()
        .map(|planned| (planned.api.as_str(), planned.cause))
        .collect();
    assert_eq!(causes, [("A", SignInCause::Forced), ("C", SignInCause::Expired)]);
    assert_eq!(plan.force(), Some(&force));
}

#[rstest]
#[case::empty("")]
#[case::blank("  ")]
#[case::two_lines("a\nb")]
#[case::endless(&"x".repeat(301))]
fn a_reason_says_something(#[case] words: &str) {
    assert!(ForceReason::new(words).is_err());
}

const AHEAD: TimeDelta = TimeDelta::minutes(6);

#[rstest]
#[case::by_day("08:45", ClockCheck::Good, false, None)]
#[case::nobody_knows("08:45", ClockCheck::NotKnown, false, None)]
#[case::slightly_off("08:45", ClockCheck::Off(TimeDelta::minutes(4)), false, None)]
#[case::far_off("08:45", ClockCheck::TooFarOff(AHEAD), false, Some("clock"))]
#[case::force_does_not_set_a_clock("08:45", ClockCheck::TooFarOff(AHEAD), true, Some("clock"))]
#[case::near_expiry("03:25", ClockCheck::Good, false, Some("hours"))]
#[case::near_expiry_forced("03:25", ClockCheck::Good, true, None)]
fn when_sign_ins_may_not_begin(
    #[case] ist: &str,
    #[case] clock: ClockCheck,
    #[case] forced: bool,
    #[case] refused: Option<&str>,
) {
    let now = DateTime::parse_from_rfc3339(&format!("2026-11-23T{ist}:00+05:30")).unwrap();
    let force = forced.then(|| ForceReason::new("words").unwrap());
    let found = not_now(now.to_utc(), clock, force.as_ref()).map(|why| match why {
        NotNow::ClockOff(_) => "clock",
        NotNow::ClosedHours { .. } => "hours",
    });
    assert_eq!(found, refused);
}

#[test]
fn a_plan_can_leave_its_stopped_accounts_out() {
    let accounts = [account("a", &["A", "B"]), account("b", &["C"])];
    let all = statuses(&[("A", Missing), ("B", Missing), ("C", Missing)]);
    let Decision::SignIn(plan) = decide(&accounts, &all, NOBODY, Wanted::default()) else {
        panic!("planned");
    };
    let stop = |id: &str| Cooldown {
        account: AccountId::new(id).unwrap(),
        mobile_number: MobileNumber::new("9000000001").unwrap(),
        since: crate::clock_reading::ClockReading::by_wall_clock(DateTime::UNIX_EPOCH),
        hold: AccountHold::Stop,
        failure: crate::failure::Failure::new(FailureReason::PinRefused, ""),
    };
    let plan = plan.with_stopped([stop("a"), stop("elsewhere")]);
    assert_eq!(plan.stopped(), [stop("a")], "only its own");
    let rest = plan.clone().for_a_standing_yes().unwrap();
    let names: Vec<_> = rest.apis().iter().map(|planned| planned.api.as_str()).collect();
    assert_eq!(names, ["C"]);
    assert_eq!(
        plan.with_stopped([stop("a"), stop("b")]).for_a_standing_yes(),
        None
    );
}

const NOBODY: BrokerAnswers<'static> = BrokerAnswers {
    checks: &[],
    time_unanswered: None,
};
const NETWORK: CheckResult = CheckResult::Unknown(FailureReason::Network);
const BLOCKED: CheckResult = CheckResult::Unknown(FailureReason::Blocked);
const ODD: CheckResult = CheckResult::Unknown(FailureReason::WrongTokenKind);

#[rstest]
#[case::nobody_asked(&[], false, None)]
#[case::nobody_asked_and_no_time(&[], true, Some(FailureReason::Network))]
#[case::one_failed_but_upstox_tells_its_time(&[NETWORK], false, None)]
#[case::one_failed_and_no_time(&[NETWORK], true, Some(FailureReason::Network))]
#[case::all_alike(&[NETWORK, NETWORK], false, Some(FailureReason::Network))]
#[case::all_blocked(&[BLOCKED, BLOCKED], false, Some(FailureReason::Blocked))]
#[case::all_odd(&[ODD, ODD], false, None)]
#[case::for_different_causes(&[NETWORK, BLOCKED], true, None)]
#[case::one_answered(&[NETWORK, CheckResult::Valid], true, None)]
#[case::one_is_dead(&[CheckResult::Invalid, NETWORK], true, None)]
fn when_upstox_answers_nobody_nothing_is_signed_in_for(
    #[case] checks: &[CheckResult],
    #[case] no_time: bool,
    #[case] unreachable: Option<FailureReason>,
) {
    let accounts = [account("a", &["A", "B"])];
    let answers = BrokerAnswers {
        checks,
        time_unanswered: no_time.then(|| Failure::new(FailureReason::Network, "refused")),
    };
    let statuses = statuses(&[("A", Unknown), ("B", Expired)]);
    let decision = decide(&accounts, &statuses, answers, Wanted::default());
    match unreachable {
        Some(reason) => assert!(
            matches!(&decision, Decision::Unreachable(failure) if failure.reason == reason),
            "{decision:?}"
        ),
        None => assert!(matches!(decision, Decision::SignIn(_)), "{decision:?}"),
    }
}

#[rstest]
#[case::the_same_cause(FailureReason::Network, "api.upstox.com:443: refused")]
#[case::another_cause(
    FailureReason::NameUnresolved,
    "Upstox's name was not found: api.upstox.com:443: refused"
)]
fn why_upstox_answers_nobody_is_told_with_what_the_question_for_its_time_met(
    #[case] met: FailureReason,
    #[case] detail: &str,
) {
    let accounts = [account("a", &["A"])];
    let answers = BrokerAnswers {
        checks: &[NETWORK],
        time_unanswered: Some(Failure::new(met, "api.upstox.com:443: refused")),
    };
    let decision = decide(
        &accounts,
        &statuses(&[("A", Unknown)]),
        answers,
        Wanted::default(),
    );
    let expected = Failure::new(FailureReason::Network, detail);
    assert!(
        matches!(&decision, Decision::Unreachable(failure) if *failure == expected),
        "{decision:?}"
    );
}

#[rstest]
#[case::the_failed_one_and_then_its_account(Some("B2"), &["B2", "B1", "B3", "A1"])]
#[case::it_is_not_planned(Some("GONE"), &["A1", "B1", "B2", "B3"])]
#[case::none_failed(None, &["A1", "B1", "B2", "B3"])]
fn a_plan_that_takes_a_run_up_begins_with_what_failed_last(
    #[case] failed: Option<&str>,
    #[case] order: &[&str],
) {
    let apis = [("a", "A1"), ("b", "B1"), ("b", "B2"), ("b", "B3")];
    let planned = apis.map(|(account, api)| PlannedApi {
        api: ApiName::new(api).unwrap(),
        account: AccountId::new(account).unwrap(),
        cause: SignInCause::Missing,
        replaces: None,
        unresolved: None,
        last_failure: None,
        last_attempt: None,
    });
    let at = DateTime::UNIX_EPOCH;
    let run = TakenUp {
        run: crate::ids::RunId::at(at),
        started_at: at,
        settled: 2,
        of: 6,
        first: failed.map(|api| ApiName::new(api).unwrap()),
    };
    let plan = Plan::of(planned.to_vec()).unwrap().taking_up(run.clone());
    assert_eq!(plan.names(), order.join(", "));
    assert_eq!(plan.taken_up(), Some(&run));
}
