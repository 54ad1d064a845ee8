//! Keeps a source's memory in step with the server for as long as it is polled. The stream of events says when to ask for the token; a
//! question that an event overtakes is dropped. While the server is away, memory keeps what it has. Dropping it is safe at any time.

use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::error::Error;
use crate::server::backoff::Backoff;
use crate::server::calls::Calls;
use crate::server::failure::Failure;
use crate::server::memory::{Answer, Landed};
use crate::server::shared_memory::SharedMemory;

pub(crate) struct Follower {
    calls: Arc<Calls>,
    memory: Arc<SharedMemory>,
}

/// What one question for the token came to.
enum Asked {
    /// There is one; events tell of the next.
    Token,
    /// There is none. Why may change without an event.
    None(Option<Duration>),
    /// Nothing is known; ask again.
    Trouble(Option<Duration>),
}

impl Drop for Follower {
    /// Also when the runtime ends or something panics: who waits must not wait for ever.
    fn drop(&mut self) {
        self.memory.ends();
    }
}

impl Follower {
    pub(crate) fn new(calls: Arc<Calls>, memory: Arc<SharedMemory>) -> Self {
        Self { calls, memory }
    }

    pub(crate) async fn follow(self) -> Infallible {
        tokio::select! {
            biased;
            never = self.watch_clock() => never,
            never = self.stay_connected() => never,
        }
    }

    async fn watch_clock(&self) -> Infallible {
        let mut look = interval(self.calls.timing.look_at_clock);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            self.memory.look_at_clock();
        }
    }

    async fn stay_connected(&self) -> Infallible {
        let timing = &self.calls.timing;
        let mut backoff = Backoff::new(timing.again.0, fastrand::Rng::new());
        loop {
            let pause = match self.listen(&mut backoff).await {
                Ok(()) => backoff.within(timing.after_clean_end),
                Err(failure) => {
                    let last = if is_refusal(&failure.error) {
                        timing.refused_again
                    } else {
                        timing.again.1
                    };
                    self.note(failure.error);
                    backoff.after_failure(last, failure.retry_after)
                }
            };
            sleep(pause).await;
        }
    }

    /// One connection, until the server ends it.
    async fn listen(&self, backoff: &mut Backoff) -> Result<(), Failure> {
        let events = match self.calls.events().await {
            Ok(events) => events,
            Err(failure) => {
                // A server that gives no stream may give the token.
                if failure.is_answer && !is_refusal(&failure.error) {
                    self.ask().await;
                }
                return Err(failure);
            }
        };
        let mut events = pin!(events);
        let first_event = self.calls.timing.first_event;
        let without_event = async move {
            sleep(first_event).await;
            self.keep_asking().await
        };
        let mut asking = Box::pin(futures_util::future::Either::Left(without_event));
        loop {
            let event = tokio::select! {
                biased;
                event = events.next() => event,
                never = &mut asking => match never {},
            };
            let Some(event) = event else {
                return Ok(());
            };
            if !event?.servable {
                self.memory.is_gone();
            }
            backoff.starts_anew();
            asking = Box::pin(futures_util::future::Either::Right(self.keep_asking()));
        }
    }

    /// Asks for the token until there is nothing left to ask.
    async fn keep_asking(&self) -> Infallible {
        let timing = &self.calls.timing;
        let mut backoff = Backoff::new(timing.again.0, fastrand::Rng::new());
        loop {
            let pause = match self.ask().await {
                Asked::Token => pending().await,
                Asked::None(retry_after) => {
                    let within = backoff.within(timing.cause_again / 10);
                    retry_after.unwrap_or(timing.cause_again) + within
                }
                Asked::Trouble(retry_after) => backoff.after_failure(timing.again.1, retry_after),
            };
            sleep(pause).await;
        }
    }

    async fn ask(&self) -> Asked {
        loop {
            let (epoch, tag) = self.memory.epoch();
            let (answer, retry_after) = self.calls.token(tag.as_deref()).await;
            let asked = match &answer {
                Answer::Token(..) | Answer::StillThat => Asked::Token,
                Answer::None(_) | Answer::Refused(_) => Asked::None(retry_after),
                Answer::Trouble(_) => Asked::Trouble(retry_after),
            };
            if self.memory.take(epoch, answer) == Landed::Taken {
                return asked;
            }
        }
    }

    fn note(&self, error: Error) {
        tracing::warn!(api = self.calls.api, %error, "the events of the token are not there; they are asked for again");
        if is_refusal(&error) {
            self.memory.is_refused(error);
        } else {
            self.memory.is_out_of_reach(error);
        }
    }
}

/// Whether the program gets nothing until a human changes that.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Refused { .. } | Error::UnknownApi { .. })
}
