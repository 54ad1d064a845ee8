//! Extractors for bodies, query strings and ids. Their rejections are problem documents that never repeat the input.

use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Json, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use uuid::Uuid;

use crate::http::problem::Problem;
use vega_api_types::ProblemCode;

/// Within which a body must arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// A JSON body. Rejections never repeat it: it may hold an answer to a prompt.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Ok(read) = timeout(BODY_TIMEOUT, Json::from_request(request, state)).await else {
            let words = "The body did not come in time. Send it at once, and whole.";
            return Err(Problem::new(ProblemCode::BodyTooSlow, words));
        };
        match read {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(Problem::new(
                ProblemCode::NotJson,
                "Send the body with Content-Type: application/json.",
            )),
            Err(JsonRejection::JsonSyntaxError(_)) => Err(Problem::new(
                ProblemCode::BadRequest,
                "The body is not well-formed JSON.",
            )),
            Err(JsonRejection::JsonDataError(_)) => Err(Problem::new(
                ProblemCode::WrongBody,
                "The body does not hold what /api/v1/openapi.json says.",
            )),
            Err(rejection) if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE => Err(
                Problem::new(ProblemCode::TooLarge, "No body here is larger than 64 KiB."),
            ),
            Err(_) => Err(Problem::new(
                ProblemCode::BadRequest,
                "The body could not be read.",
            )),
        }
    }
}

/// The query string.
pub(crate) struct QueryParams<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        match query {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Problem::new(ProblemCode::BadRequest, rejection.body_text())),
        }
    }
}

/// The id of a run in a path. Text that is no id names no run.
pub(crate) fn run_id(text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).map_err(|_| Problem::new(ProblemCode::NoRun, "No run has this id."))
}
