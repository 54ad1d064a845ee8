//! The server's error responses. Which codes there are, and how a problem looks, is in `vega-api-types`.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use vega_api_types::{ProblemCode, ProblemView};
use vega_domain::expiry::rfc3339_ist;
use vega_domain::ports::StoreError;

/// A problem on its way to the caller.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    view: Box<ProblemView>,
    /// Seconds.
    retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            view: Box::new(ProblemView::new(code, detail.into())),
            retry_after: None,
        }
    }

    /// What the caller is told.
    pub(crate) fn view(&self) -> &ProblemView {
        &self.view
    }

    /// The server that is reached there can do it.
    pub(crate) fn at(mut self, url: Option<String>) -> Self {
        self.view.url = url;
        self
    }

    /// Worth trying again after so many seconds.
    pub(crate) fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Worth trying again then.
    pub(crate) fn until(mut self, at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        self.view.retry_at = Some(rfc3339_ist(at));
        self.view.retry_at_unix = Some(at.timestamp());
        // At least one second: at zero a program would come back at once, and in vain.
        self.retry_after = u64::try_from((at - now).num_seconds() + 1).ok();
        self
    }
}

/// The header that says after how many seconds it is worth trying again.
pub(crate) fn retry_after(seconds: u64) -> (HeaderName, HeaderValue) {
    (header::RETRY_AFTER, HeaderValue::from(seconds))
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request failed at the database");
        Self::new(ProblemCode::Storage, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.view.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&*self.view).unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.extend([retry_after(seconds)]);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_status_of_an_error() {
        for &code in ProblemCode::ALL {
            let status = Problem::new(code, "").into_response().status();
            assert_eq!(status.as_u16(), code.status(), "{code:?}");
            assert!(status.is_client_error() || status.is_server_error(), "{code:?}");
        }
    }
}
