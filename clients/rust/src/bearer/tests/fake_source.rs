//! A source of tokens in memory, whose state the test sets.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::stream;

use crate::changes::Changes;
use crate::error::Error;
use crate::source::{TokenSource, Verdict};
use crate::token::{Generation, Token};

/// It has a token of generation 1 at first; nothing in place of a token is none.
#[derive(Clone)]
pub(crate) struct FakeSource(Arc<Mutex<State>>);

struct State {
    generation: Option<u32>,
    /// What a report brings to light.
    after_report: Option<u32>,
    reported: Vec<u32>,
}

impl FakeSource {
    pub(crate) fn that_has_after_a_report(generation: Option<u32>) -> Self {
        Self(Arc::new(Mutex::new(State {
            generation: Some(1),
            after_report: generation,
            reported: Vec::new(),
        })))
    }

    pub(crate) fn has(&self, generation: Option<u32>) {
        self.0.lock().unwrap().generation = generation;
    }

    pub(crate) fn reported(&self) -> Vec<u32> {
        self.0.lock().unwrap().reported.clone()
    }
}

#[async_trait]
impl TokenSource for FakeSource {
    async fn current(&self, _min_valid: Duration) -> Result<Token, Error> {
        let generation = self.0.lock().unwrap().generation;
        let generation = generation.ok_or_else(|| Error::unreachable("no token"))?;
        Ok(Token::new(
            format!("token-{generation}"),
            Generation::new(generation),
            SystemTime::UNIX_EPOCH,
        ))
    }

    fn changes(&self) -> Changes {
        Changes::new(stream::pending())
    }

    async fn report_rejected(&self, generation: Generation) -> Result<Verdict, Error> {
        let mut state = self.0.lock().unwrap();
        state.reported.push(generation.get());
        state.generation = state.after_report;
        Ok(Verdict::Newer)
    }
}
