//! `/consumers`: which programs use which token, and the operator's word that one of them gets nothing. Who a program is, is decided in
//! `auth::principal`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use vega_api_types::{ConsumersView, OpenConsumerBody, ProblemCode, ProblemView, StopConsumerBody};
use vega_domain::consumer::ConsumerIdentity;
use vega_domain::plan::ForceReason;

use crate::auth::principal::Principal;
use crate::http::error_responses::{BodyErrorResponses, ErrorResponses};
use crate::http::extract::Body;
use crate::http::problem::Problem;
use crate::server::Server;
use crate::state::shown_consumers;

/// Every program that was seen to use a token within a month, of whichever server of this installation, by name and API.
#[utoipa::path(get, path = "/api/v1/consumers", operation_id = "listConsumers", tag = "consumers",
    responses((status = 200, description = "The consumers", body = ConsumersView), ErrorResponses))]
pub(crate) async fn list(State(server): State<Arc<Server>>) -> Json<ConsumersView> {
    // Of other servers' consumers; those of this one are known without it.
    if let Err(error) = server.vega.consumers.catch_up().await {
        tracing::warn!(%error, "which programs other servers saw could not be read");
    }
    let consumers = shown_consumers::views(&server);
    Json(ConsumersView { v: 1, consumers })
}

/// Stops a program: it gets 403 and this reason, whatever it asks for, until it is opened again. The stop binds to its access key, or to what
/// the kernel says of it.
#[utoipa::path(post, path = "/api/v1/consumers/stop", operation_id = "stopConsumer", tag = "consumers",
    request_body = StopConsumerBody,
    responses((status = 204, description = "It is stopped"),
        (status = 404, description = "No such consumer is known", body = ProblemView, content_type = "application/problem+json"),
        ErrorResponses, BodyErrorResponses))]
pub(crate) async fn stop(
    State(server): State<Arc<Server>>,
    Extension(principal): Extension<Principal>,
    Body(body): Body<StopConsumerBody>,
) -> Result<StatusCode, Problem> {
    let reason = match body.reason.trim() {
        "" => String::new(),
        words => ForceReason::new(words)
            .map_err(|error| Problem::new(ProblemCode::WrongBody, format!("{error}.")))?
            .to_string(),
    };
    let (identity, name) = found(&server, &body.consumer).await?;
    let consumers = &server.vega.consumers;
    consumers
        .stop(&identity, &name, &principal.name(), &reason)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Opens a program again that was stopped.
#[utoipa::path(post, path = "/api/v1/consumers/open", operation_id = "openConsumer", tag = "consumers",
    request_body = OpenConsumerBody,
    responses((status = 204, description = "It is not stopped any more"),
        (status = 404, description = "No such consumer is known", body = ProblemView, content_type = "application/problem+json"),
        ErrorResponses, BodyErrorResponses))]
pub(crate) async fn open(
    State(server): State<Arc<Server>>,
    Extension(principal): Extension<Principal>,
    Body(body): Body<OpenConsumerBody>,
) -> Result<StatusCode, Problem> {
    let (identity, name) = found(&server, &body.consumer).await?;
    let consumers = &server.vega.consumers;
    consumers.open(&identity, &name, &principal.name()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The consumer of this identity, and what it is called.
async fn found(server: &Server, identity: &str) -> Result<(ConsumerIdentity, String), Problem> {
    let unknown = || {
        let words = "No such consumer was seen. GET /api/v1/consumers lists them; send the `consumer` of one of them.";
        Problem::new(ProblemCode::UnknownConsumer, words)
    };
    let identity: ConsumerIdentity = identity.parse().map_err(|_| unknown())?;
    let consumers = &server.vega.consumers;
    let stopped = consumers.stop_of(&identity).map(|stop| stop.name.clone());
    let seen = consumers.known().into_iter();
    let mut seen = seen.filter(|known| known.seen.consumer.identity == identity);
    let name = stopped.or_else(|| Some(seen.next()?.seen.consumer.identity_name));
    let name = match (name, &identity) {
        (Some(name), _) => Some(name),
        // Also a key that was never shown.
        (None, ConsumerIdentity::Key(id)) => {
            let keys = server.vega.access.keys().await?;
            let mut keys = keys.into_iter();
            keys.find(|key| key.id == *id).map(|key| key.name.to_string())
        }
        // And a user, of whom programs may come under any name.
        (None, ConsumerIdentity::Program(program)) => program.is_whole_user().then(|| program.name()),
    };
    Ok((identity, name.ok_or_else(unknown)?))
}
