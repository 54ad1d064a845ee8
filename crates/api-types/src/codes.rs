//! The codes in JSON: closed sets of strings. Each is generated from the domain's own list, so that the OpenAPI file
//! names every code and the console's compiler finds the one that it does not handle. What a code means is decided in the
//! domain.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};
use vega_domain::{
    access, account, audit, consumer, failure, file_delivery, outcome_code, plan, run, token, token_kind,
};

/// The schema of a string that is one of these codes.
fn one_of(codes: impl IntoIterator<Item = &'static str>, description: &str) -> RefOr<Schema> {
    let schema = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .enum_values(Some(codes))
        .description(Some(description.trim()));
    RefOr::T(Schema::Object(schema.build()))
}

/// A code whose list the domain keeps.
macro_rules! listed {
    (#[doc = $doc:literal] $module:ident::$name:ident) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub $module::$name);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.code())
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                one_of($module::$name::ALL.iter().map(|code| code.code()), $doc)
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

/// A code that is listed here. A new variant of the domain does not compile before it is listed here, too.
macro_rules! named {
    (#[doc = $doc:literal] $module:ident::$name:ident { $($variant:ident,)* }) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($variant,)*
        }

        impl $name {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $module::$name::$variant.as_str(),)* }
            }
        }

        impl From<$module::$name> for $name {
            fn from(code: $module::$name) -> Self {
                match code { $($module::$name::$variant => Self::$variant,)* }
            }
        }

        impl From<$name> for $module::$name {
            fn from(code: $name) -> Self {
                match code { $($name::$variant => Self::$variant,)* }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                one_of(Self::ALL.iter().map(|code| code.as_str()), $doc)
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

listed! {
    /// What happened.
    audit::AuditKind
}

listed! {
    /// Why a file did not get its token.
    file_delivery::DeliveryProblem
}
listed! {
    /// How far the delivery of a token to a file came.
    file_delivery::DeliveryState
}

impl<'de> Deserialize<'de> for TokenKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        token_kind::TokenKind::parse(&code)
            .map(Self::from)
            .map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for AuditKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        audit::AuditKind::parse(&code).map(Self).map_err(D::Error::custom)
    }
}

listed! {
    /// The cause of a failure.
    failure::FailureReason
}

named! {
    /// How a program stands to the newest token.
    consumer::ConsumerState { Current, Behind, Waiting, Away, }
}

named! {
    /// By which way a program gets tokens.
    consumer::AccessPath { Socket, Http, }
}

named! {
    /// What a token opens.
    token_kind::TokenKind { Trade, Read, }
}

named! {
    /// What a token is worth now.
    token::TokenStatus { Valid, Expired, Invalid, Missing, Unknown, }
}

named! {
    /// What an access key is worth now.
    access::KeyState { Live, Expired, Revoked, }
}

named! {
    /// Why an API is signed in for.
    plan::SignInCause { Missing, Expired, Invalid, Forced, }
}

named! {
    /// Why a step was not taken.
    run::SkipReason { AlreadyServable, LastMinute, Unknown, ClosedHours, AccountStopped, CoolingDown, }
}

named! {
    /// How sign-ins are made.
    account::Route { Webdriver, OwnBrowser, }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Upstox is asked about the tokens; nothing is on record yet.
    Verifying,
    /// The plan waits for its yes.
    Confirming,
    /// Confirmed, nothing done yet.
    Planned,
    /// Working through its steps.
    Running,
    /// No account can go on now.
    Waiting,
    /// Every step is done.
    Completed,
    /// Ended with open or failed steps; it can be taken up again until the next 03:30 IST.
    Incomplete,
    /// Ended by the operator.
    Cancelled,
    /// Left over from before the last 03:30 IST.
    Abandoned,
    /// All tokens are valid; nothing was begun.
    NotNeeded,
    /// Nothing was begun; the outcome says why.
    NotBegun,
}

impl From<run::RunState> for RunState {
    fn from(state: run::RunState) -> Self {
        match state {
            run::RunState::Planned => Self::Planned,
            run::RunState::Running => Self::Running,
            run::RunState::Waiting => Self::Waiting,
            run::RunState::Completed => Self::Completed,
            run::RunState::Incomplete => Self::Incomplete,
            run::RunState::Cancelled => Self::Cancelled,
            run::RunState::Abandoned => Self::Abandoned,
        }
    }
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Its turn has not come.
    Pending,
    /// The human is signing in.
    SigningIn,
    /// The code is on its way to the token endpoint.
    Exchanging,
    /// The new token is being checked.
    Verifying,
    /// Stored, verified, published.
    Done,
    /// Ended without a servable token.
    Failed,
    /// Not taken.
    Skipped,
}

impl From<&run::StepState> for StepState {
    fn from(state: &run::StepState) -> Self {
        match state {
            run::StepState::Pending => Self::Pending,
            run::StepState::SigningIn => Self::SigningIn,
            run::StepState::Exchanging => Self::Exchanging,
            run::StepState::Verifying => Self::Verifying,
            run::StepState::Done => Self::Done,
            run::StepState::Failed(_) => Self::Failed,
            run::StepState::Skipped(_) => Self::Skipped,
        }
    }
}

/// Why a step failed or was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum StepReason {
    /// It failed.
    Failed(FailureReason),
    /// It was skipped.
    Skipped(SkipReason),
}

impl StepReason {
    pub fn of(state: &run::StepState) -> Option<Self> {
        match state {
            run::StepState::Failed(failure) => Some(Self::Failed(FailureReason(failure.reason))),
            run::StepState::Skipped(reason) => Some(Self::Skipped((*reason).into())),
            run::StepState::Pending
            | run::StepState::SigningIn
            | run::StepState::Exchanging
            | run::StepState::Verifying
            | run::StepState::Done => None,
        }
    }
}

/// What the human is asked or told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptKind {
    /// Whether a plan is to be carried out.
    Confirm,
    /// The same once more, because nobody was at the desk before.
    ConfirmAgain,
    /// The OTP.
    Otp,
    /// The PIN.
    Pin,
    /// A link to sign in at, and the address at which that ended.
    Link,
    /// Something that is done in the browser window, and not answered.
    Window,
}

named! {
    /// Why nothing was begun, or why a run broke off.
    outcome_code::OutcomeCode {
        AllValid, OnlyUnknown, Declined, Unanswered, Cancelled, Unreachable, ClockOff, ClosedHours, HeldElsewhere,
        PreflightFailed, NobodyCanBegin, Storage, Unexpected,
    }
}

/// What a token is worth that somebody reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenAnswer {
    /// Upstox takes it: the call was refused for another cause.
    Alive,
    /// It is over, and nobody gets it any more. A human must sign in.
    Dead,
    /// It is not the newest one: get the newest.
    Newer,
    /// Upstox did not say; `failure` says why. It is kept.
    Unknown,
}

/// What does not fit in the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditFault {
    /// An entry is not what Vega wrote in its place.
    Edited,
    /// Numbers are left out.
    Missing,
    /// The last entries are gone.
    Cut,
    /// The trail was written anew.
    Rewritten,
}

impl From<audit::AuditFault> for AuditFault {
    fn from(fault: audit::AuditFault) -> Self {
        match fault {
            audit::AuditFault::Edited { .. } => Self::Edited,
            audit::AuditFault::Missing { .. } => Self::Missing,
            audit::AuditFault::Cut { .. } => Self::Cut,
            audit::AuditFault::Rewritten { .. } => Self::Rewritten,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chrono::DateTime;
    use serde_json::{Value, json};
    use vega_domain::failure::Failure;
    use vega_domain::ids::RunId;

    use super::*;

    fn code(of: impl Serialize) -> Value {
        serde_json::to_value(of).unwrap()
    }

    /// Every code of the schema.
    fn listed(schema: impl Serialize) -> Vec<Value> {
        code(schema)["enum"].as_array().unwrap().clone()
    }

    /// JSON, the database and the command line have one code for each thing.
    #[test]
    fn the_codes_are_the_domains() {
        for state in run::RunState::ALL {
            assert_eq!(code(RunState::from(state)), state.as_str());
        }
        let failed = Failure::new(failure::FailureReason::Throttled, "words");
        for state in [
            run::StepState::Pending,
            run::StepState::SigningIn,
            run::StepState::Exchanging,
            run::StepState::Verifying,
            run::StepState::Done,
            run::StepState::Failed(failed),
            run::StepState::Skipped(run::SkipReason::LastMinute),
        ] {
            assert_eq!(code(StepState::from(&state)), state.as_str());
            assert_eq!(code(StepReason::of(&state)), json!(state.reason().0));
        }
        let run = RunId::at(DateTime::UNIX_EPOCH);
        for fault in [
            audit::AuditFault::Edited { entry: 1 },
            audit::AuditFault::Missing { entry: 1 },
            audit::AuditFault::Cut { last: 1, written: 2 },
            audit::AuditFault::Rewritten {
                entry: 1,
                run: Some(run),
            },
        ] {
            assert_eq!(code(AuditFault::from(fault)), fault.code());
        }
    }

    /// The console tells by the code alone which of the two it is.
    #[test]
    fn no_reason_to_fail_is_a_reason_to_skip() {
        let (failed, skipped) = (listed(FailureReason::schema()), listed(SkipReason::schema()));
        assert_eq!(
            (failed.len(), skipped.len()),
            (failure::FailureReason::ALL.len(), 6)
        );
        let all: HashSet<_> = failed.iter().chain(&skipped).collect();
        assert_eq!(all.len(), failed.len() + skipped.len());
    }

    #[test]
    fn the_schema_lists_what_is_sent() {
        for status in TokenStatus::ALL {
            assert!(listed(TokenStatus::schema()).contains(&code(status)));
        }
        assert_eq!(listed(Route::schema()), ["webdriver", "own-browser"]);
        for state in run::RunState::ALL {
            assert!(listed(RunState::schema()).contains(&json!(state.as_str())));
        }
        assert!(listed(AuditKind::schema()).contains(&json!("key_rotated")));
    }
}
