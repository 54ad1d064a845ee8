//! Asks Upstox about stored tokens, a few at a time. An answer that changes what is known is recorded as it comes; a dead token
//! leaves the hot registry in the same step, a proven one enters it. What is still as it was is recorded in one commit when
//! everybody was asked. A proven token is not called dead by the profile call alone: either another token of the account is
//! answered for, so that the call works, or a second kind of call agrees.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::sleep;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::event::Event;
use vega_domain::expiry;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{
    Clock, EventSink, LastPriceAnswer, LastPriceApi, ProfileAnswer, ProfileApi, StoreError, TokenCheck,
    UpstoxTokenRepository,
};
use vega_domain::token::{CheckResult, LastCheck, StoredToken};
use vega_domain::token_kind::TokenKind;

use crate::hot_token_registry::HotTokenRegistry;
use crate::profile_retry;

/// A token that was made so much later than the refused one says little of it: it may be the first one after the death of all.
const SAME_MORNING: TimeDelta = TimeDelta::hours(1);

/// Between the two calls that call an analytics token dead.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Verification by profile; of analytics tokens by a price.
pub struct ProfileVerificationService {
    profiles: Arc<dyn ProfileApi>,
    prices: Arc<dyn LastPriceApi>,
    tokens: Arc<dyn UpstoxTokenRepository>,
    registry: Arc<HotTokenRegistry>,
    events: Arc<dyn EventSink>,
    clock: Arc<dyn Clock>,
    parallel: usize,
}

/// What was answered about one token.
struct Answered {
    token: StoredToken,
    check: LastCheck,
    audit: AuditEntry,
}

/// What the profile call said of one token.
enum Heard {
    Answered(Answered),
    /// It refuses the token, which was good.
    Doubted(StoredToken),
}

impl ProfileVerificationService {
    /// `parallel` calls at once at most. `prices` gives the second opinion.
    pub fn new(
        profiles: Arc<dyn ProfileApi>,
        prices: Arc<dyn LastPriceApi>,
        tokens: Arc<dyn UpstoxTokenRepository>,
        registry: Arc<HotTokenRegistry>,
        events: Arc<dyn EventSink>,
        clock: Arc<dyn Clock>,
        parallel: usize,
    ) -> Self {
        Self {
            profiles,
            prices,
            tokens,
            registry,
            events,
            clock,
            parallel: parallel.max(1),
        }
    }

    /// Verifies all of `tokens` and returns them with what is known now. Ends with the first answer that the database
    /// does not take; what was recorded before stays.
    pub async fn verify(&self, tokens: Vec<StoredToken>) -> Result<Vec<StoredToken>, StoreError> {
        let (mut verified, mut refused, mut unchanged) = (Vec::new(), Vec::new(), Vec::new());
        let asking = tokens.into_iter().map(|token| self.ask(token));
        let (asking, mut answers) = self.a_few_at_a_time(asking);
        let recording = async {
            let mut come = Vec::new();
            while answers.recv_many(&mut come, usize::MAX).await > 0 {
                let mut changed = Vec::new();
                for heard in come.drain(..) {
                    match heard {
                        Heard::Doubted(token) => refused.push(token),
                        Heard::Answered(answered) if answered.token.is_changed_by(answered.check) => {
                            changed.push(answered);
                        }
                        Heard::Answered(answered) => unchanged.push(answered),
                    }
                }
                verified.extend(self.record(changed).await?);
            }
            Ok(())
        };
        tokio::try_join!(asking, recording)?;
        verified.extend(self.record(unchanged).await?);
        let settling = refused.into_iter().map(|token| {
            let is_vouched_for = verified.iter().any(|other| vouches_for(other, &token));
            self.settle(token, is_vouched_for)
        });
        let settling: Vec<_> = settling.collect();
        let (settling, mut answers) = self.a_few_at_a_time(settling);
        let recording = async {
            let (mut come, mut settled) = (Vec::new(), Vec::new());
            while answers.recv_many(&mut come, usize::MAX).await > 0 {
                settled.extend(self.record(std::mem::take(&mut come)).await?);
            }
            Ok::<_, StoreError>(settled)
        };
        let ((), settled) = tokio::try_join!(settling, recording)?;
        verified.extend(settled);
        Ok(verified)
    }

    /// Carries out what `asking` is made of, and where its answers come out. To be polled beside whoever records them: a call goes
    /// on while a commit is made, however long the disk takes, and what has come meanwhile goes into the next commit.
    fn a_few_at_a_time<T>(
        &self,
        asking: impl IntoIterator<Item = impl Future<Output = T>>,
    ) -> (impl Future<Output = Result<(), StoreError>>, UnboundedReceiver<T>) {
        let (answers, come) = mpsc::unbounded_channel();
        let asked = stream::iter(asking).buffer_unordered(self.parallel);
        let asking = asked.for_each(move |answer| {
            // Nobody listens any more where the database takes nothing.
            let _ = answers.send(answer);
            ready(())
        });
        (asking.map(Ok), come)
    }

    /// What it means is decided when it comes, and not after a commit.
    async fn ask(&self, token: StoredToken) -> Heard {
        let answer = match token.kind() {
            TokenKind::Trade => profile_retry::ask(&*self.profiles, &*self.clock, &token).await,
            TokenKind::Read => self.ask_for_a_price(&token).await,
        };
        if self.needs_more(&token, &answer) {
            Heard::Doubted(token)
        } else {
            Heard::Answered(self.answered(token, &answer))
        }
    }

    /// Whether the profile call refuses a token that was good: the rest of the round is to be heard first.
    fn needs_more(&self, token: &StoredToken, answer: &ProfileAnswer) -> bool {
        let was_good = token.verified_at.is_some() && !token.is_refused();
        let all_die = token.kind() == TokenKind::Trade && self.is_around_0330();
        *answer == ProfileAnswer::Invalid && was_good && !all_die
    }

    /// An analytics token is asked about with what it is for: its profile is open to it from a registered address alone.
    /// Source: https://upstox.com/developer/api-documentation/analytics-token.
    async fn ask_for_a_price(&self, token: &StoredToken) -> ProfileAnswer {
        match self.prices.last_price(&token.access_token).await {
            LastPriceAnswer::Given => ProfileAnswer::Valid(token.user_id.clone()),
            LastPriceAnswer::TokenDead => ProfileAnswer::Invalid,
            LastPriceAnswer::Unknown(failure) => ProfileAnswer::Unknown(failure),
        }
    }

    /// Then all tokens die, and no sign-in begins.
    fn is_around_0330(&self) -> bool {
        expiry::closed_until(self.clock.now()).is_some()
    }

    /// A token that was good and is refused by the profile call.
    async fn settle(&self, token: StoredToken, is_vouched_for: bool) -> Answered {
        let answer = match token.kind() {
            _ if is_vouched_for => ProfileAnswer::Invalid,
            TokenKind::Trade => self.second_opinion(&token).await,
            // There is no call of another kind that it opens everywhere: the same one, once more.
            TokenKind::Read => {
                sleep(ASK_AGAIN).await;
                self.ask_for_a_price(&token).await
            }
        };
        self.answered(token, &answer)
    }

    /// What a call of another kind says of a token that the profile call refuses.
    async fn second_opinion(&self, token: &StoredToken) -> ProfileAnswer {
        let words = match self.prices.last_price(&token.access_token).await {
            LastPriceAnswer::TokenDead => return ProfileAnswer::Invalid,
            LastPriceAnswer::Given => {
                let words = "the profile call refuses it, and the call for a price takes it";
                Failure::new(FailureReason::AnswersDisagree, words)
            }
            LastPriceAnswer::Unknown(failure) => {
                let words =
                    format!("the profile call refuses it, and a second call could not tell: {failure}");
                Failure::new(failure.reason, words)
            }
        };
        ProfileAnswer::Unknown(words)
    }

    /// What an answer that came now means for the token.
    fn answered(&self, token: StoredToken, answer: &ProfileAnswer) -> Answered {
        let check = LastCheck {
            at: self.clock.now(),
            result: answer.check_for(&token),
        };
        let detail = match answer {
            ProfileAnswer::Valid(_) if token.kind() == TokenKind::Read => {
                format!("generation {}: a price was given for it", token.generation)
            }
            ProfileAnswer::Valid(user) => format!("generation {}: profile of {user}", token.generation),
            ProfileAnswer::Invalid => format!("generation {}: Upstox calls it dead", token.generation),
            ProfileAnswer::Unknown(failure) => format!("generation {}: {failure}", token.generation),
        };
        tracing::debug!(api = %token.api, detail, "profile checked");
        let audit =
            AuditEntry::new(check.at, AuditKind::TokenChecked, detail).about(&token.account, &token.api);
        Answered { token, check, audit }
    }

    /// One commit; then registry and programs follow.
    async fn record(&self, answered: Vec<Answered>) -> Result<Vec<StoredToken>, StoreError> {
        if answered.is_empty() {
            return Ok(Vec::new());
        }
        let recorded = answered.iter().map(|Answered { token, check, audit }| {
            let check = TokenCheck {
                api: token.api.clone(),
                generation: token.generation,
                check: *check,
            };
            (check, audit.clone())
        });
        let newest = self.tokens.record_checks(&recorded.collect::<Vec<_>>()).await?;
        let known = answered.into_iter().zip(newest);
        Ok(known
            .map(|(Answered { mut token, check, .. }, is_newest)| {
                token.apply(check);
                if is_newest {
                    self.registry.publish(&token);
                } else if token.is_refused() {
                    self.registry.remove(&token.api, token.generation);
                }
                self.events.emit(Event::TokenChecked {
                    api: token.api.clone(),
                    status: token.status(check.at),
                });
                token
            })
            .collect())
    }
}

/// Whether `other` was answered for just now, and shows that the profile call works for the refused token's account.
fn vouches_for(other: &StoredToken, refused: &StoredToken) -> bool {
    let is_good = other
        .last_check
        .is_some_and(|check| check.result == CheckResult::Valid);
    let are_asked_alike = other.kind() == TokenKind::Trade && refused.kind() == TokenKind::Trade;
    is_good
        && are_asked_alike
        && other.account == refused.account
        && other.issued_at - refused.issued_at < SAME_MORNING
}

#[cfg(test)]
mod tests;
