//! Error responses that many routes share, for the OpenAPI file.

use utoipa::IntoResponses;

use vega_api_types::ProblemView;

/// Of every route that needs a principal.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "described, never built")]
pub(crate) enum ErrorResponses {
    /// The request cannot be read.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemView),
    /// Neither a key nor a session came along, or one that is not known.
    #[response(status = 401, content_type = "application/problem+json")]
    NotSignedIn(ProblemView),
    /// The key or session may not do this, or another site sent it.
    #[response(status = 403, content_type = "application/problem+json")]
    NotAllowed(ProblemView),
    /// The `Host` is not one of this server.
    #[response(status = 421, content_type = "application/problem+json")]
    WrongHost(ProblemView),
    /// Vega itself failed.
    #[response(status = 500, content_type = "application/problem+json")]
    Unexpected(ProblemView),
    /// The database does not do what it must, or it took too long.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemView),
}

/// Of every route with a request body.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "described, never built")]
pub(crate) enum BodyErrorResponses {
    /// The body did not come in time.
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(ProblemView),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemView),
    /// The body is not JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(ProblemView),
    /// The body does not hold what it must.
    #[response(status = 422, content_type = "application/problem+json")]
    WrongBody(ProblemView),
}
