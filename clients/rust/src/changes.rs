//! The stream of what became of a token.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, Stream};

use crate::token::Generation;

/// The generation that programs get, at once and whenever that changes; `None` while there is no token. Who is slow gets the newest
/// state, not each one between.
pub struct Changes(BoxStream<'static, Option<Generation>>);

impl Changes {
    /// From a stream of one's own, for a source of one's own.
    pub fn new(states: impl Stream<Item = Option<Generation>> + Send + 'static) -> Self {
        Self(states.boxed())
    }

    /// The next state. Cancel-safe. Ends, with `None` outside, only with the runtime in which the source was made.
    pub async fn next(&mut self) -> Option<Option<Generation>> {
        self.0.next().await
    }
}

impl Stream for Changes {
    type Item = Option<Generation>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changes")
    }
}
