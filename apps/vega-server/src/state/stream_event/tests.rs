//! What the dashboard really sends, compared with what the OpenAPI file says.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::DateTime;
use futures_util::FutureExt;
use serde_json::{Value, json};
use vega_api_types::{
    AccountView, ApiView, ConsumerView, ConsumersView, ProblemCode, PromptsView, StepChange,
};
use vega_api_types::{StreamEndView, TokenStateView, TokenStreamEvent};
use vega_domain::clock_reading::ClockReading;
use vega_domain::consumer::{AccessPath, Consumer, ConsumerIdentity, ConsumerStop, ConsumerUse};
use vega_domain::cooldown::{AccountHold, Cooldown};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccessKeyId, AccountId, ApiName, AttemptId, Generation, MobileNumber, RunId};
use vega_domain::plan::{Plan, PlannedApi, SignInCause};
use vega_domain::ports::Approver;
use vega_domain::run::StepState;
use vega_domain::sign_in::OtpAllowance;
use vega_domain::token::{ApiStatus, TokenStatus};
use vega_testing::builders;

use super::*;
use crate::api::token_events::name_and_data;
use crate::http::problem::Problem;
use crate::state::dashboard::Dashboard;
use crate::state::dashboard_refresh::tests::with_step_in;
use crate::state::prompt_queue::PromptQueue;
use crate::state::prompt_view::views_of;

fn failure() -> Failure {
    Failure::new(FailureReason::Throttled, "words")
}

fn account() -> AccountView {
    let id = AccountId::new("default").unwrap();
    let now = ClockReading::by_wall_clock(DateTime::UNIX_EPOCH);
    let closed = Cooldown {
        account: id.clone(),
        since: now.clone(),
        mobile_number: MobileNumber::new("9000000001").unwrap(),
        hold: AccountHold::Cooldown {
            length: Duration::from_mins(11),
        },
        failure: failure(),
    };
    AccountView::of(&id, Some(&closed), &OtpAllowance::Left(3), 4, &now)
}

fn api() -> ApiView {
    let status = ApiStatus {
        api: ApiName::new("PRIMARY").unwrap(),
        account: AccountId::new("default").unwrap(),
        status: TokenStatus::Missing,
        servable: false,
        valid_until: None,
        generation: None,
        verified_at: None,
        last_check: None,
        last_failure: Some(failure()),
        last_attempt: None,
    };
    ApiView::of(&status, Some(&"/data/vega_trade.evidence/x.json".into()))
}

fn plan() -> Plan {
    let planned = PlannedApi {
        api: ApiName::new("PRIMARY").unwrap(),
        account: AccountId::new("default").unwrap(),
        cause: SignInCause::Missing,
        replaces: None,
        unresolved: Some(failure()),
        last_failure: None,
        last_attempt: None,
    };
    Plan::of(vec![planned]).unwrap()
}

fn consumer() -> ConsumerView {
    let identity = ConsumerIdentity::Key(AccessKeyId::at(DateTime::UNIX_EPOCH));
    let seen = ConsumerUse {
        consumer: Consumer {
            identity: identity.clone(),
            identity_name: "trader".into(),
            own_name: None,
            access_path: AccessPath::Http,
        },
        api: ApiName::new("PRIMARY").unwrap(),
        generation: Some(Generation::FIRST),
        moved_at: Some(DateTime::UNIX_EPOCH),
        last_seen_at: DateTime::UNIX_EPOCH,
    };
    let stop = ConsumerStop {
        identity,
        name: "trader".into(),
        since: DateTime::UNIX_EPOCH,
        reason: "words".into(),
    };
    ConsumerView::of(&seen, None, true, Some(&stop), DateTime::UNIX_EPOCH)
}

/// Everything that a dashboard sends while things change.
fn sent() -> Vec<std::sync::Arc<Frame>> {
    let (dashboard, run) = (Dashboard::new(), RunId::at(DateTime::UNIX_EPOCH));
    let (prompts, plan) = (PromptQueue::new(Duration::from_mins(5)), plan());
    let asked = prompts.confirm(&plan);
    tokio::pin!(asked);
    assert!(asked.as_mut().now_or_never().is_none(), "it waits for a yes");
    let (_, mut frames) = dashboard.subscribe(DateTime::UNIX_EPOCH).unwrap();
    let mut shown = with_step_in(run, StepState::SigningIn);
    shown.apis.push(api());
    shown.accounts.push(account());
    shown.prompts = views_of(&prompts, DateTime::UNIX_EPOCH, true);
    dashboard.replace(&shown, None);
    let moved = with_step_in(run, StepState::Failed(failure()));
    shown.run = moved.run;
    dashboard.replace(&shown, None);
    dashboard.show_consumers(vec![consumer()]);
    let (first, _) = dashboard.subscribe(DateTime::UNIX_EPOCH).unwrap();
    let mut sent = vec![first.into()];
    while let Ok(frame) = frames.try_recv() {
        sent.push(frame);
    }
    sent
}

/// Where the value is not as the schema says, if anywhere. It knows as much of schemas as these need.
fn misfit(document: &Value, schema: &Value, value: &Value, place: &str) -> Option<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').unwrap();
        return misfit(document, document.pointer(pointer).unwrap(), value, place);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let mut misfits = choices
            .iter()
            .map(|choice| misfit(document, choice, value, place));
        let fitting = misfits.by_ref().filter(Option::is_none).count();
        return (fitting != 1).then(|| format!("{place}: {fitting} choices fit {value}"));
    }
    if schema["type"] == "null" {
        return (!value.is_null()).then(|| format!("{place} is not null"));
    }
    if let Some(words) = schema["enum"].as_array() {
        return (!words.contains(value)).then(|| format!("{place}: {value} is no word of {words:?}"));
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        let mut misfits = values.iter().map(|value| misfit(document, items, value, place));
        return misfits.find_map(|misfit| misfit);
    }
    let (properties, required) = fields(document, schema);
    let Some(object) = value.as_object().filter(|_| !properties.is_empty()) else {
        let kinds = format!("{}", schema["type"]);
        let is_right = match value {
            Value::Null => kinds.contains("null"),
            Value::Bool(_) => kinds.contains("boolean"),
            Value::Number(_) => kinds.contains("integer"),
            Value::String(_) => kinds.contains("string"),
            Value::Array(_) | Value::Object(_) => false,
        };
        return (!is_right).then(|| format!("{place}: {value} is no {kinds}"));
    };
    if let Some(missing) = required.iter().find(|name| !object.contains_key(**name)) {
        return Some(format!("{place} lacks {missing}"));
    }
    object.iter().find_map(|(name, value)| {
        let place = format!("{place}.{name}");
        match properties.iter().find(|(known, _)| *known == name) {
            Some((_, schema)) => misfit(document, schema, value, &place),
            None => Some(format!("{place} is not described")),
        }
    })
}

/// The fields of an object, with those of the schemas that it is put together from, and which of them must be there.
fn fields<'d>(document: &'d Value, schema: &'d Value) -> (Vec<(&'d String, &'d Value)>, Vec<&'d str>) {
    if let Some(name) = schema["$ref"].as_str() {
        return fields(
            document,
            document.pointer(name.strip_prefix('#').unwrap()).unwrap(),
        );
    }
    let own = schema["properties"].as_object().into_iter().flatten();
    let required = schema["required"].as_array().into_iter().flatten();
    let (mut all, mut must): (Vec<_>, Vec<_>) = (own.collect(), required.filter_map(Value::as_str).collect());
    for part in schema["allOf"].as_array().into_iter().flatten() {
        let (fields, required) = fields(document, part);
        all.extend(fields);
        must.extend(required);
    }
    (all, must)
}

#[tokio::test(start_paused = true)]
async fn every_event_is_sent_as_it_is_described() {
    let document = serde_json::to_value(crate::routes::document()).unwrap();
    let sent = sent();
    let sent = sent.iter().map(|frame| (frame.event, frame.data.clone()));
    are_as_described(&document, "/api/v1/events", &sent.collect::<Vec<_>>());

    let sent: Vec<_> = of_one_token().iter().map(name_and_data).collect();
    are_as_described(&document, "/api/v1/apis/{api}/events", &sent);
}

/// Each event, of which all kinds are there, as the name of its kind says, and as no other kind.
fn are_as_described(document: &Value, path: &str, sent: &[(&str, String)]) {
    let body = &document["paths"][path]["get"]["responses"]["200"]["content"]["text/event-stream"]["schema"];
    let described = document
        .pointer(body["$ref"].as_str().unwrap().strip_prefix('#').unwrap())
        .unwrap();
    let choices = described["oneOf"].as_array().unwrap().iter();
    let known: BTreeSet<&str> = choices
        .filter_map(|choice| choice["properties"]["event"]["enum"][0].as_str())
        .collect();
    let names: BTreeSet<&str> = sent.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, known);
    for (name, data) in sent {
        let data: Value = serde_json::from_str(data).unwrap();
        let whole = json!({ "event": name, "data": data });
        assert_eq!(misfit(document, body, &whole, name), None, "{whole}");
        for other in known.iter().filter(|known| *known != name) {
            let other = json!({ "event": other, "data": data });
            assert_ne!(misfit(document, body, &other, name), None, "{other}");
        }
    }
}

/// What a program that uses one token is told.
fn of_one_token() -> [TokenStreamEvent; 4] {
    let at = DateTime::UNIX_EPOCH;
    let token = builders::token(AttemptId::at(at), "PRIMARY", 1).token;
    let cools_down = Problem::new(ProblemCode::CoolingDown, "words").until(at, at);
    [
        TokenStreamEvent::Token(TokenStateView::with("PRIMARY", &token, "1-0011223344556677")),
        TokenStreamEvent::Token(TokenStateView::without("PRIMARY", None)),
        TokenStreamEvent::Token(TokenStateView::without("PRIMARY", Some(cools_down.view()))),
        TokenStreamEvent::End(StreamEndView {
            v: 1,
            code: ProblemCode::Stopping,
            detail: "words".into(),
        }),
    ]
}

/// Name and data are written apart, and the description is of both together.
#[test]
fn an_event_is_written_as_its_type_says() {
    let run = with_step_in(RunId::at(DateTime::UNIX_EPOCH), StepState::Done);
    let of_run = run.run.clone().unwrap();
    for event in [
        StreamEvent::Step(StepChange::of(&of_run, &of_run.steps[0])),
        StreamEvent::Snapshot(run),
        StreamEvent::Run(of_run),
        StreamEvent::Token(api()),
        StreamEvent::Prompt(PromptsView::of(Vec::new())),
        StreamEvent::Consumers(ConsumersView {
            v: 1,
            consumers: vec![consumer()],
        }),
        StreamEvent::Cooldown(account()),
    ] {
        let frame = Frame::of(1, &event);
        let data: Value = serde_json::from_str(&frame.data).unwrap();
        assert_eq!(json!({ "event": frame.event, "data": data }), json!(event));
    }
    for event in of_one_token() {
        let (name, data) = name_and_data(&event);
        let data: Value = serde_json::from_str(&data).unwrap();
        assert_eq!(json!({ "event": name, "data": data }), json!(event));
    }
}
