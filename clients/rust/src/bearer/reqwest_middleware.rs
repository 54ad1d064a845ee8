//! The bearer as a middleware of `reqwest-middleware`.

use async_trait::async_trait;
use http::Extensions;
use http::header::AUTHORIZATION;
use reqwest::{Request, Response, StatusCode};
use reqwest_middleware::{Middleware, Next};

use crate::bearer::rule::{Bearer, authorization, is_idempotent};

type Result<T> = reqwest_middleware::Result<T>;

#[async_trait]
impl Middleware for Bearer {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        if !self.goes_to(request.url()) {
            return next.run(request, extensions).await;
        }
        let token = self.token().await.map_err(failed)?;
        // Nothing for a body that is sent as it is made.
        let again = request
            .try_clone()
            .filter(|request| is_idempotent(request.method()));
        request
            .headers_mut()
            .insert(AUTHORIZATION, authorization(&token).map_err(failed)?);
        let response = next.clone().run(request, extensions).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let newer = self.after_refusal(token.generation(), again.is_some()).await;
        let (Some(mut again), Some(newer)) = (again, newer) else {
            return Ok(response);
        };
        again
            .headers_mut()
            .insert(AUTHORIZATION, authorization(&newer).map_err(failed)?);
        next.run(again, extensions).await
    }
}

fn failed(error: crate::error::Error) -> reqwest_middleware::Error {
    reqwest_middleware::Error::middleware(error)
}
