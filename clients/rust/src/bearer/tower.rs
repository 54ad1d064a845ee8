//! The bearer as a layer of `tower`, for services that take requests of the crate `http`.

use std::future::poll_fn;
use std::mem::replace;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode, Uri};
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

use crate::bearer::rule::{Bearer, authorization, is_idempotent};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A service whose calls to Upstox bear the token. Made by [`Bearer`] as a layer.
#[derive(Debug, Clone)]
pub struct BearerService<S> {
    bearer: Bearer,
    inner: S,
}

impl<S> Layer<S> for Bearer {
    type Service = BearerService<S>;

    fn layer(&self, inner: S) -> BearerService<S> {
        BearerService {
            bearer: self.clone(),
            inner,
        }
    }
}

impl<S, B, R> Service<Request<B>> for BearerService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError> + Send,
    B: Clone + Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready; the clone may not be.
        let fresh = self.inner.clone();
        let inner = replace(&mut self.inner, fresh);
        Box::pin(call(self.bearer.clone(), inner, request))
    }
}

async fn call<S, B, R>(bearer: Bearer, mut inner: S, mut request: Request<B>) -> Result<Response<R>, BoxError>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Clone,
{
    if !url(request.uri()).is_some_and(|url| bearer.goes_to(&url)) {
        return inner.call(request).await.map_err(Into::into);
    }
    let token = bearer.token().await?;
    let again = is_idempotent(request.method()).then(|| request.clone());
    request
        .headers_mut()
        .insert(AUTHORIZATION, authorization(&token)?);
    let response = inner.call(request).await.map_err(Into::into)?;
    if response.status() != StatusCode::UNAUTHORIZED {
        return Ok(response);
    }
    let newer = bearer.after_refusal(token.generation(), again.is_some()).await;
    let (Some(mut again), Some(newer)) = (again, newer) else {
        return Ok(response);
    };
    again.headers_mut().insert(AUTHORIZATION, authorization(&newer)?);
    poll_fn(|cx| inner.poll_ready(cx)).await.map_err(Into::into)?;
    inner.call(again).await.map_err(Into::into)
}

/// Nothing for one that names no host: where it goes is not known.
fn url(uri: &Uri) -> Option<Url> {
    Url::parse(&format!("{}://{}", uri.scheme_str()?, uri.authority()?)).ok()
}
