//! Builders of what is configured and stored: one account with its APIs, its plans, attempts, runs and tokens, all of one fixed
//! time, with secrets that a test finds wherever they leak.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::account::{Account, Api, RedirectUri, Route};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::clock_reading::{ClockReading, SinceBoot};
use vega_domain::event::Event;
use vega_domain::ids::{AccountId, ApiName, AttemptId, ClientId, Generation, MobileNumber, RunId, UserId};
use vega_domain::plan::{Plan, PlannedApi, SignInCause};
use vega_domain::ports::NewAttempt;
use vega_domain::run::{RunRecord, RunState, StepRecord, StepState, Wait, WaitCause};
use vega_domain::secret::{AccessToken, ClientSecret, ExtendedToken, OAuthState};
use vega_domain::sign_in::{Notice, Screen, WindowTask};
use vega_domain::token::{CheckResult, LastCheck, NewToken, StoredToken, TokenStatus};

/// So many seconds after the time of everything here. It has microseconds, which a store keeps.
pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 123_456_000).unwrap() + TimeDelta::seconds(seconds)
}

/// The same by both clocks of a computer.
pub fn moment(seconds: u32) -> ClockReading {
    ClockReading {
        at: at(seconds.into()),
        since_boot: Some(SinceBoot {
            boot: "this".into(),
            elapsed: Duration::from_secs(seconds.into()),
        }),
    }
}

/// The same by the wall clock alone.
pub fn wall(seconds: i64) -> ClockReading {
    ClockReading::by_wall_clock(at(seconds))
}

/// An audit entry that says nothing more.
pub fn entry(kind: AuditKind) -> AuditEntry {
    AuditEntry::new(at(0), kind, "")
}

/// The same at another time.
pub fn entry_at(kind: AuditKind, seconds: i64) -> AuditEntry {
    AuditEntry::new(at(seconds), kind, "")
}

/// An API by its name.
pub fn api(name: &str) -> ApiName {
    ApiName::new(name).unwrap()
}

/// The account that everything here belongs to.
pub fn account() -> AccountId {
    AccountId::new("default").unwrap()
}

/// Its mobile number.
pub fn mobile() -> MobileNumber {
    MobileNumber::new("9000000001").unwrap()
}

/// An API as it is configured.
pub fn configured(name: &str) -> Api {
    Api {
        name: api(name),
        client_id: ClientId::new(format!("key-{name}")).unwrap(),
        client_secret: ClientSecret::new("CANARY-client-secret"),
        redirect_uri: RedirectUri::new("http://localhost:28020/cb").unwrap(),
    }
}

/// That account as it is configured, with these APIs.
pub fn account_with(apis: &[&str]) -> Account {
    Account {
        id: account(),
        mobile_number: mobile(),
        user_id: Some(UserId::new("AB1234").unwrap()),
        route: Route::Webdriver,
        apis: apis.iter().map(|name| configured(name)).collect(),
    }
}

/// A plan to sign in for these APIs of that account, which have no token.
pub fn plan(apis: &[&str]) -> Plan {
    let planned = apis.iter().map(|name| PlannedApi {
        api: api(name),
        account: account(),
        cause: SignInCause::Missing,
        replaces: None,
        unresolved: None,
        last_failure: None,
        last_attempt: None,
    });
    Plan::of(planned.collect()).unwrap()
}

/// One event of each kind. A new kind does not compile before it has its place here.
pub fn one_event_of_each_kind() -> Vec<Event> {
    let (api, run) = (api("PRIMARY"), RunId::at(at(0)));
    let mut events = vec![Event::TokenChecked {
        api: api.clone(),
        status: TokenStatus::Valid,
    }];
    loop {
        let next = match events.last().unwrap() {
            Event::TokenChecked { .. } => Event::RunStarted {
                run,
                open: 1,
                settled: 0,
            },
            Event::RunStarted { .. } => Event::StepChanged {
                run,
                api: api.clone(),
                state: StepState::SigningIn,
            },
            Event::StepChanged { .. } => Event::ScreenSeen {
                api: api.clone(),
                screen: Screen::Otp,
            },
            Event::ScreenSeen { .. } => Event::OtpRequested {
                account: account(),
                api: api.clone(),
            },
            Event::OtpRequested { .. } => Event::Noticed {
                api: api.clone(),
                notice: Notice::Challenge,
            },
            Event::Noticed { .. } => Event::TokenPublished {
                api: api.clone(),
                generation: Generation::FIRST,
            },
            Event::TokenPublished { .. } => Event::KeptInSpool {
                api: api.clone(),
                why: "words".into(),
            },
            Event::KeptInSpool { .. } => Event::KeptInMemoryOnly {
                api: api.clone(),
                why: "words".into(),
            },
            Event::KeptInMemoryOnly { .. } => Event::RunWaits { run, wait: wait() },
            Event::RunWaits { .. } => Event::RunGoesOn { run },
            Event::RunGoesOn { .. } => Event::RunEnded {
                run,
                state: RunState::Completed,
            },
            Event::RunEnded { .. } => return events,
        };
        events.push(next);
    }
}

/// A run waits for that account's OTP budget, for 11 minutes.
pub fn wait() -> Wait {
    Wait {
        account: account(),
        cause: WaitCause::OtpBudget,
        until: at(660),
        left: Duration::from_mins(11),
    }
}

/// The human has to solve a challenge for PRIMARY within five minutes.
pub fn window_task() -> WindowTask {
    WindowTask {
        account: account(),
        api: api("PRIMARY"),
        notice: Notice::Challenge,
        deadline: at(300),
        time_left: Duration::from_mins(5),
    }
}

/// A run that begins.
pub fn run(apis: &[&str]) -> RunRecord {
    run_at(apis, 0)
}

/// A run that begins later. Ids of one instant are told apart by chance alone.
pub fn run_at(apis: &[&str], seconds: i64) -> RunRecord {
    RunRecord {
        id: RunId::at(at(seconds)),
        state: RunState::Running,
        started_at: at(seconds),
        finished_at: None,
        steps: apis
            .iter()
            .map(|name| StepRecord {
                api: api(name),
                account: account(),
                state: StepState::Pending,
            })
            .collect(),
    }
}

/// An attempt that begins, with a `state` of its own.
pub fn attempt(run: RunId, name: &str, generation: u32) -> NewAttempt {
    let id = AttemptId::at(at(0));
    NewAttempt {
        id,
        run,
        account: account(),
        api: api(name),
        client_id: ClientId::new(format!("key-{name}")).unwrap(),
        generation: Generation::new(generation).unwrap(),
        state: OAuthState::new(format!("CANARY-state-{id}")),
        opened_at: at(0),
    }
}

/// A verified token as an attempt brings it.
pub fn token(attempt: AttemptId, name: &str, generation: u32) -> NewToken {
    NewToken {
        token: StoredToken {
            api: api(name),
            account: account(),
            client_id: ClientId::new(format!("key-{name}")).unwrap(),
            user_id: UserId::new("AB1234").unwrap(),
            generation: Generation::new(generation).unwrap(),
            access_token: AccessToken::new(format!("CANARY-token-{name}-{generation}")),
            issued_at: at(0),
            valid_until: at(50_000),
            verified_at: Some(at(3)),
            rejected_at: None,
            last_check: Some(LastCheck {
                at: at(3),
                result: CheckResult::Valid,
            }),
        },
        extended_token: Some(ExtendedToken::new("CANARY-extended")),
        attempt,
    }
}
