//! What is known of the token of one API, and what a program gets. Decides which answer counts: never one that was under way while
//! something newer became known, never an older token after a newer one, never one that is dead. No I/O, and no clock of its own.

use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::source::Verdict;
use crate::token::{Generation, Token};

/// What the server answered when it was asked for the token.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// This one, with what to ask for a newer one by.
    Token(Token, Option<String>),
    /// Still the one that is held.
    StillThat,
    /// No token, and why.
    None(Error),
    /// The program may not have it.
    Refused(Error),
    /// Nothing that says anything of the token.
    Trouble(Error),
}

/// When a question was asked: an answer counts only if nothing became known since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Landed {
    Taken,
    /// Something else became known meanwhile: ask again.
    Stale,
}

/// What programs are told of: which token there is, and its number among those that came.
pub(crate) type Told = Option<(Generation, u64)>;

#[derive(Debug)]
pub(crate) struct Memory {
    api: String,
    held: Option<Held>,
    newest: Option<Newest>,
    /// Why there is no token, or would be none if the held one died.
    why: Option<Error>,
    /// What the server ever said.
    known: Known,
    /// Whether the held token lived when the clock was last looked at.
    is_alive: bool,
    has_ended: bool,
    epoch: u64,
}

/// What is known of how the token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Known {
    Nothing,
    /// Whether there is one.
    Whether,
    /// Which one there is, or in words why none: the first answer is there.
    Wholly,
}

#[derive(Debug)]
struct Held {
    token: Token,
    tag: Option<String>,
    number: u64,
}

/// The newest token that was ever seen.
#[derive(Debug, Clone, Copy)]
struct Newest {
    generation: Generation,
    /// Unknown of one that was only reported.
    valid_until: Option<SystemTime>,
    /// Upstox spoke against it.
    is_dead: bool,
}

impl Newest {
    fn is_followed_by(self, token: &Token) -> bool {
        // A database that was restored counts again from an older number; only the day tells its tokens from older ones.
        let is_of_a_later_day = self.valid_until.is_some_and(|until| token.valid_until() > until);
        let generation = token.generation();
        is_of_a_later_day || generation > self.generation || (generation == self.generation && !self.is_dead)
    }
}

impl Memory {
    pub(crate) fn new(api: &str) -> Self {
        Self {
            api: api.to_owned(),
            held: None,
            newest: None,
            why: None,
            known: Known::Nothing,
            is_alive: false,
            has_ended: false,
            epoch: 0,
        }
    }

    /// To be taken before the server is asked, with what tells it which token is held.
    pub(crate) fn epoch(&self) -> (Epoch, Option<String>) {
        let tag = self.held.as_ref().and_then(|held| held.tag.clone());
        (Epoch(self.epoch), tag)
    }

    /// An answer arrived to a question of `asked`.
    pub(crate) fn take(&mut self, asked: Epoch, answer: Answer, now: SystemTime) -> Landed {
        let answer = match answer {
            // It says nothing of the token, so it cannot be too late.
            Answer::Trouble(error) => {
                self.why = Some(error);
                return Landed::Taken;
            }
            _ if asked != Epoch(self.epoch) => return Landed::Stale,
            Answer::StillThat if self.held.is_none() => return Landed::Stale,
            answer => answer,
        };
        let known = match &answer {
            Answer::None(Error::NoToken { code, .. }) if code == "token_unknown" => Known::Whether,
            _ => Known::Wholly,
        };
        self.known = self.known.max(known);
        match answer {
            Answer::Token(token, tag) => self.land(token, tag, now),
            Answer::StillThat => self.why = None,
            Answer::None(error) | Answer::Refused(error) | Answer::Trouble(error) => {
                self.drop_held();
                self.why = Some(error);
            }
        }
        Landed::Taken
    }

    fn land(&mut self, token: Token, tag: Option<String>, now: SystemTime) {
        if self.newest.is_some_and(|newest| !newest.is_followed_by(&token)) {
            let words = format!(
                "the server gave generation {} of {} after a newer or dead one: it may have an older database",
                token.generation(),
                self.api
            );
            self.why = Some(Error::unexpected(words));
            return;
        }
        self.newest = Some(Newest {
            generation: token.generation(),
            valid_until: Some(token.valid_until()),
            is_dead: false,
        });
        self.epoch += 1;
        self.why = None;
        self.is_alive = token.lives_for(now).is_some();
        self.held = Some(Held {
            token,
            tag,
            number: self.epoch,
        });
    }

    /// The server said that there is no token now; why is to be asked.
    pub(crate) fn is_gone(&mut self) {
        self.known = self.known.max(Known::Whether);
        if self.held.is_some() {
            self.why = Some(self.human_needed());
        }
        self.drop_held();
    }

    /// The server does not let the program in.
    pub(crate) fn is_refused(&mut self, error: Error) {
        self.known = Known::Wholly;
        self.drop_held();
        self.why = Some(error);
    }

    /// The server cannot be reached. What is held is given on.
    pub(crate) fn is_out_of_reach(&mut self, error: Error) {
        self.why = Some(error);
    }

    /// Upstox said that this generation is dead.
    pub(crate) fn is_dead(&mut self, generation: Generation) {
        match &mut self.newest {
            Some(newest) if newest.generation > generation => return,
            Some(newest) if newest.generation == generation => newest.is_dead = true,
            newest => {
                *newest = Some(Newest {
                    generation,
                    valid_until: None,
                    is_dead: true,
                });
            }
        }
        if self.held.is_some() {
            self.why = Some(self.human_needed());
        }
        self.drop_held();
    }

    fn drop_held(&mut self) {
        self.held = None;
        self.epoch += 1;
    }

    /// Takes note of the time.
    pub(crate) fn it_is(&mut self, now: SystemTime) {
        let lives = |held: &Held| held.token.lives_for(now).is_some();
        self.is_alive = self.held.as_ref().is_some_and(lives);
    }

    /// Nobody follows the server any more, so nothing would take a token back.
    pub(crate) fn ends(&mut self) {
        self.has_ended = true;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// What whoever waits is woken by when it changes.
    pub(crate) fn seen(&self) -> (Option<Told>, Known, bool) {
        (self.told(), self.known, self.has_ended)
    }

    /// What a report of this generation is worth without asking anybody.
    pub(crate) fn verdict(&self, reported: Generation, now: SystemTime) -> Option<Verdict> {
        let held = self
            .held
            .as_ref()
            .filter(|held| held.token.lives_for(now).is_some());
        if held.is_some_and(|held| held.token.generation() > reported) {
            return Some(Verdict::Newer);
        }
        let is_dead = |newest: &Newest| newest.generation == reported && newest.is_dead;
        self.newest.as_ref().is_some_and(is_dead).then_some(Verdict::Dead)
    }

    /// Which token there is, as far as anything is known.
    pub(crate) fn told(&self) -> Option<Told> {
        let held = self.held.as_ref().filter(|_| self.is_alive && !self.has_ended);
        let told = held.map(|held| (held.token.generation(), held.number));
        (self.known >= Known::Whether).then_some(told)
    }

    /// What a program gets now; nothing while the first answer is awaited.
    pub(crate) fn look(&self, min_valid: Duration, now: SystemTime) -> Option<Result<Token, Error>> {
        if self.has_ended {
            return Some(Err(Error::Ended));
        }
        let held = self.held.as_ref();
        let living = held.and_then(|held| Some((&held.token, held.token.lives_for(now)?)));
        match living {
            Some((token, left)) if left < min_valid => Some(Err(Error::TooShort {
                api: self.api.clone(),
                generation: token.generation(),
                left,
                min_valid,
            })),
            Some((token, _)) => Some(Ok(token.clone())),
            None if self.known < Known::Wholly => None,
            None => Some(Err(self.why_not())),
        }
    }

    /// Why there is no token.
    pub(crate) fn why_not(&self) -> Error {
        self.why.clone().unwrap_or_else(|| self.human_needed())
    }

    /// Why there is none, if anything is known of that.
    pub(crate) fn trouble(&self) -> Option<&Error> {
        self.why.as_ref()
    }

    fn human_needed(&self) -> Error {
        Error::NoToken {
            api: self.api.clone(),
            code: "human_needed".to_owned(),
            words: format!("The last one is over. Run `vega {}`, and sign in.", self.api),
            retry_at: None,
        }
    }
}

#[cfg(test)]
mod tests;
