//! The memory of one source, which its follower writes, its programs read and its streams watch.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use tokio::sync::watch;

use crate::changes::Changes;
use crate::clock::Clock;
use crate::error::Error;
use crate::server::memory::{Answer, Epoch, Landed, Memory};
use crate::source::Verdict;
use crate::token::{Generation, Token};

pub(crate) struct SharedMemory {
    memory: watch::Sender<Memory>,
    clock: Arc<dyn Clock>,
}

impl SharedMemory {
    pub(crate) fn new(api: &str, clock: Arc<dyn Clock>) -> Self {
        Self {
            memory: watch::Sender::new(Memory::new(api)),
            clock,
        }
    }

    pub(crate) fn epoch(&self) -> (Epoch, Option<String>) {
        self.memory.borrow().epoch()
    }

    pub(crate) fn take(&self, asked: Epoch, answer: Answer) -> Landed {
        let now = self.clock.now();
        self.change(|memory| memory.take(asked, answer, now))
    }

    pub(crate) fn is_gone(&self) {
        self.change(Memory::is_gone);
    }

    pub(crate) fn is_refused(&self, error: Error) {
        self.change(|memory| memory.is_refused(error));
    }

    pub(crate) fn is_out_of_reach(&self, error: Error) {
        self.change(|memory| memory.is_out_of_reach(error));
    }

    pub(crate) fn is_dead(&self, generation: Generation) {
        self.change(|memory| memory.is_dead(generation));
    }

    pub(crate) fn look_at_clock(&self) {
        let now = self.clock.now();
        self.change(|memory| memory.it_is(now));
    }

    pub(crate) fn ends(&self) {
        self.change(Memory::ends);
    }

    /// Whoever waits is woken only by what programs can see.
    fn change<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        let mut changed = None;
        self.memory.send_if_modified(|memory| {
            let before = memory.seen();
            changed = Some(change(memory));
            before != memory.seen()
        });
        changed.expect("send_if_modified calls its argument")
    }

    /// What a report of this generation is worth without asking anybody.
    pub(crate) fn verdict(&self, reported: Generation) -> Option<Result<Verdict, Error>> {
        let memory = self.memory.borrow();
        if memory.has_ended() {
            return Some(Err(Error::Ended));
        }
        memory.verdict(reported, self.clock.now()).map(Ok)
    }

    /// What a program gets now; nothing while the first answer is awaited.
    pub(crate) fn look(&self, min_valid: Duration) -> Option<Result<Token, Error>> {
        self.memory.borrow().look(min_valid, self.clock.now())
    }

    /// The same, once there is an answer.
    pub(crate) async fn first_look(&self, min_valid: Duration) -> Result<Token, Error> {
        let mut changes = self.memory.subscribe();
        loop {
            // Before the look, so that no change falls between the two.
            changes.borrow_and_update();
            if let Some(looked) = self.look(min_valid) {
                return looked;
            }
            if changes.changed().await.is_err() {
                return Err(Error::Ended);
            }
        }
    }

    /// What is known of why there is no answer yet.
    pub(crate) fn trouble(&self) -> Option<Error> {
        self.memory.borrow().trouble().cloned()
    }

    /// The states from now on. The stream keeps `kept` for as long as it lives.
    pub(crate) fn changes(&self, kept: impl Send + Sync + 'static) -> Changes {
        let (changes, told) = (self.memory.subscribe(), None);
        Changes::new(stream::unfold(
            (kept, changes, told),
            async |(kept, mut changes, last)| {
                loop {
                    let (told, has_ended) = {
                        let memory = changes.borrow_and_update();
                        (memory.told(), memory.has_ended())
                    };
                    if told != last && told.is_some() {
                        let generation = told.flatten().map(|(generation, _)| generation);
                        return Some((generation, (kept, changes, told)));
                    }
                    if has_ended {
                        return None;
                    }
                    changes.changed().await.ok()?;
                }
            },
        ))
    }
}
