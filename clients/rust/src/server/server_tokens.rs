//! The token of one API of a server, as programs have it in hand.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::changes::Changes;
use crate::error::Error;
use crate::server::calls::Calls;
use crate::server::follower::Follower;
use crate::server::memory::{Answer, Landed};
use crate::server::shared_memory::SharedMemory;
use crate::source::{TokenSource, Verdict};
use crate::token::{Generation, Token};

/// The token of one API of a [`Server`](crate::Server). Clones share one follower, a task of the runtime in which the first was made; it
/// ends with the last clone and the last stream of changes.
#[derive(Clone)]
pub struct ServerTokens(Arc<Source>);

struct Source {
    calls: Arc<Calls>,
    memory: Arc<SharedMemory>,
    runtime: Handle,
    follower: AbortHandle,
    /// The newest report that is under way: who reports the same waits for the same answer.
    report: Mutex<Option<Report>>,
}

struct Report {
    generation: Generation,
    outcome: Shared<BoxFuture<'static, Result<Verdict, Error>>>,
}

impl Drop for Source {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl ServerTokens {
    /// Follows the server in this runtime.
    pub(crate) fn follow(calls: Calls, memory: SharedMemory, runtime: Handle) -> Self {
        let (calls, memory) = (Arc::new(calls), Arc::new(memory));
        let follower = Follower::new(Arc::clone(&calls), Arc::clone(&memory));
        let following = runtime.spawn(follower.follow());
        Self(Arc::new(Source {
            follower: following.abort_handle(),
            calls,
            memory,
            runtime,
            report: Mutex::default(),
        }))
    }

    /// The name of the API.
    pub fn api(&self) -> &str {
        &self.0.calls.api
    }

    /// Ends the follower now, for all clones: they give nothing from then on. Dropping the last one does that too.
    pub fn close(&self) {
        self.0.follower.abort();
        self.0.memory.ends();
    }
}

impl Source {
    async fn first_answer(&self, min_valid: Duration) -> Result<Token, Error> {
        let wait = self.calls.timing.first_answer;
        let waiting = {
            // The caller may be of another executor, which has no timers of tokio.
            let _inside = self.runtime.enter();
            timeout(wait, self.memory.first_look(min_valid))
        };
        waiting.await.unwrap_or_else(|_| {
            let nothing = || {
                Error::unreachable(format!(
                    "the Vega server at {} did not say within {} s how the token of {} stands",
                    self.calls.server,
                    wait.as_secs(),
                    self.calls.api
                ))
            };
            Err(self.memory.trouble().unwrap_or_else(nothing))
        })
    }

    /// The report of this generation that is under way, or a new one. It is carried out whether or not its callers wait for it.
    fn report(&self, generation: Generation) -> Shared<BoxFuture<'static, Result<Verdict, Error>>> {
        let mut last = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last
            .as_ref()
            .filter(|last| last.generation == generation && last.outcome.peek().is_none())
        {
            return last.outcome.clone();
        }
        let reporting = report(Arc::clone(&self.calls), Arc::clone(&self.memory), generation);
        let reporting = self.runtime.spawn(reporting);
        let outcome = async { reporting.await.unwrap_or(Err(Error::Ended)) }
            .boxed()
            .shared();
        *last = Some(Report {
            generation,
            outcome: outcome.clone(),
        });
        outcome
    }
}

async fn report(
    calls: Arc<Calls>,
    memory: Arc<SharedMemory>,
    generation: Generation,
) -> Result<Verdict, Error> {
    let verdict = match calls.report(generation).await {
        Ok(verdict) => verdict,
        Err(failure) => {
            if let error @ Error::Refused { .. } = &failure.error {
                memory.is_refused(error.clone());
            }
            return Err(failure.error);
        }
    };
    match verdict {
        Verdict::Alive | Verdict::Unknown => {}
        Verdict::Dead => memory.is_dead(generation),
        Verdict::Newer => has_newer(&calls, &memory, generation).await?,
    }
    Ok(verdict)
}

/// Waits until memory has what the server calls newer: it may know of a token a moment before it gives it to programs.
async fn has_newer(calls: &Calls, memory: &SharedMemory, reported: Generation) -> Result<(), Error> {
    let waiting = async {
        loop {
            let (epoch, tag) = memory.epoch();
            let (answer, _) = calls.token(tag.as_deref()).await;
            let trouble = match &answer {
                Answer::Token(..) | Answer::StillThat => None,
                Answer::None(error) | Answer::Refused(error) | Answer::Trouble(error) => Some(error.clone()),
            };
            let landed = memory.take(epoch, answer);
            match memory.verdict(reported) {
                Some(Ok(Verdict::Newer)) => return Ok(()),
                Some(Err(ended)) => return Err(ended),
                Some(Ok(_)) | None => {}
            }
            if let Some(trouble) = trouble.filter(|_| landed == Landed::Taken) {
                return Err(trouble);
            }
            sleep(calls.timing.again.0).await;
        }
    };
    timeout(calls.timing.answer, waiting).await.unwrap_or_else(|_| {
        Err(Error::unreachable(format!(
            "the Vega server at {} has a newer token of {} than generation {reported}, and does not give it",
            calls.server, calls.api
        )))
    })
}

#[async_trait]
impl TokenSource for ServerTokens {
    async fn current(&self, min_valid: Duration) -> Result<Token, Error> {
        match self.0.memory.look(min_valid) {
            Some(looked) => looked,
            None => self.0.first_answer(min_valid).await,
        }
    }

    fn changes(&self) -> Changes {
        self.0.memory.changes(self.clone())
    }

    async fn report_rejected(&self, generation: Generation) -> Result<Verdict, Error> {
        match self.0.memory.verdict(generation) {
            Some(known) => known,
            None => self.0.report(generation).await,
        }
    }
}

impl fmt::Debug for ServerTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTokens")
            .field("server", &self.0.calls.server)
            .field("api", &self.0.calls.api)
            .finish_non_exhaustive()
    }
}
