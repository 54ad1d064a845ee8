//! Vega's vocabulary, rules and ports. Pure: no I/O, no clock, no environment; `now` is an argument of every rule.
//! Adapters (`upstox`, `selenium`, `persistence`) implement the ports, `services` and `orchestration` call them.

pub mod access;
pub mod account;
pub mod accounts;
pub mod audit;
pub mod authorize;
pub mod broker_code;
pub mod check_times;
pub mod clock_check;
pub mod clock_reading;
pub mod consumer;
pub mod cooldown;
pub mod event;
pub mod evidence;
pub mod expiry;
pub mod failure;
pub mod file_delivery;
pub mod ids;
mod invalid_value;
pub mod machine;
pub mod no_token;
pub mod outcome_code;
pub mod overview;
pub mod plan;
pub mod plan_estimate;
mod planned_api;
pub mod ports;
pub mod reading;
pub mod resume;
pub mod row_faults;
pub mod run;
pub mod secret;
pub mod sign_in;
pub mod token;
pub mod token_file;
pub mod token_kind;
pub mod visible;

pub use access::{AccessKey, ConsoleLink, ConsoleSession, Scope, SecretHash};
pub use account::{Account, Api, RedirectUri};
pub use accounts::{Accounts, ApiSelection};
pub use audit::{AuditEntry, AuditKind};
pub use authorize::Redirect;
pub use clock_check::ClockCheck;
pub use clock_reading::{ClockReading, SinceBoot};
pub use cooldown::Cooldown;
pub use event::Event;
pub use failure::{Failure, FailureReason, RecoveryAction};
pub use ids::{
    AccessKeyId, AccountId, ApiName, AttemptId, ClientId, Generation, KeyName, MobileNumber, RunId,
    SessionId, UserId,
};
pub use invalid_value::InvalidValue;
pub use machine::{LeaseHolderAt, Machine, NextKey};
pub use no_token::NoToken;
pub use overview::{OtpAllowances, Overview};
pub use plan::{Decision, ForceReason, NotNow, Plan, PlannedApi, SignInCause};
pub use run::{RunRecord, RunState, StepRecord, StepState};
pub use secret::{
    AccessToken, AuthorizationCode, ClientSecret, ExtendedToken, KeySecret, LinkCode, OAuthState, RawAnswer,
    SecondFactor, SessionSecret,
};
pub use sign_in::{Notice, OtpBudget, Prompt, PromptKind, Screen};
pub use token::{ApiStatus, CheckResult, LastCheck, StoredToken, TokenStatus};
pub use token_kind::{TokenKind, WantedKind};
