//! Answers of the broker's API: a status and a JSON body, with errors in the envelope that spells its keys twice.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// An answer that scenarios may still change before it leaves.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Answer {
        Answer {
            status: StatusCode::OK,
            body,
        }
    }

    /// A known error with its usual status and text.
    pub(super) fn error(code: &str) -> Answer {
        let (status, message) = usual(code);
        Answer::error_with(status, code, message)
    }

    pub(super) fn error_with(status: StatusCode, code: &str, message: &str) -> Answer {
        let body = json!({ "status": "error", "errors": [problem(code, message)] });
        Answer { status, body }
    }

    /// With more errors in the same envelope.
    pub(super) fn and_errors(mut self, codes: &[String]) -> Answer {
        if let Some(errors) = self.body["errors"].as_array_mut() {
            errors.extend(codes.iter().map(|code| problem(code, usual(code).1)));
        }
        self
    }
}

fn problem(code: &str, message: &str) -> Value {
    json!({
        "errorCode": code, "message": message, "propertyPath": null, "invalidValue": null,
        "error_code": code, "property_path": null, "invalid_value": null,
    })
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

/// Status and text of a documented code; an unknown one is an internal error without a text.
pub(super) fn usual(code: &str) -> (StatusCode, &'static str) {
    let bad = StatusCode::BAD_REQUEST;
    let unauthorized = StatusCode::UNAUTHORIZED;
    match code {
        "UDAPI10005" => (StatusCode::TOO_MANY_REQUESTS, "Too Many Request Sent"),
        "UDAPI1017" => (bad, "Client id is required"),
        "UDAPI1018" => (bad, "Redirect URI is required"),
        "UDAPI1022" => (bad, "Code is required"),
        "UDAPI1023" => (bad, "Grant type is required"),
        "UDAPI1024" => (bad, "Client secret is required"),
        "UDAPI1026" => (bad, "Response type is required"),
        "UDAPI1011" => (bad, "Instrument key is of invalid format"),
        "UDAPI1088" => (bad, "The date format is invalid"),
        "UDAPI1149" => (
            unauthorized,
            "This API is available to subscribers of the Plus plan only",
        ),
        "UDAPI1161" => (
            unauthorized,
            "Orders of this segment through the API are not enabled",
        ),
        "UDAPI1221" => (
            unauthorized,
            "This request is permitted only from the static IP configured in your account",
        ),
        "UDAPI100016" => (unauthorized, "Invalid Credentials"),
        "UDAPI100036" => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Invalid Input"),
        "UDAPI100050" => (unauthorized, "Invalid token used to access API"),
        "UDAPI100057" => (unauthorized, "Invalid Auth code"),
        "UDAPI100058" => (
            unauthorized,
            "No segments for these users are active. Manual reactivation is recommended from Upstox app/web.",
        ),
        "UDAPI100060" => (StatusCode::NOT_FOUND, "Resource not Found"),
        "UDAPI100067" => (unauthorized, "This API cannot be accessed with an extended token"),
        "UDAPI100068" => (
            unauthorized,
            "Check your 'client_id' and 'redirect_uri'; one or both are incorrect.",
        ),
        "UDAPI100069" => (
            unauthorized,
            "Check your 'client_id' and 'client_secret'; one or both are incorrect.",
        ),
        "UDAPI100070" => (bad, "The redirect_uri provided is invalid"),
        "UDAPI100073" => (unauthorized, "Your 'client_id' is inactive."),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong"),
    }
}
