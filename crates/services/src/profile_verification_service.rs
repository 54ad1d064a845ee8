//! Asks Upstox about stored tokens, a few at a time. Each answer is recorded as it comes; a dead token leaves the hot
//! registry in the same step, a proven one enters it. A proven token is not called dead by the profile call alone: either
//! another token of the account is answered for, so that the call works, or a second kind of call agrees.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::event::Event;
use vega_domain::expiry;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{
    Clock, EventSink, LastPriceAnswer, LastPriceApi, ProfileAnswer, ProfileApi, StoreError, TokenCheck,
    UpstoxTokenRepository,
};
use vega_domain::token::{CheckResult, LastCheck, StoredToken};

use crate::hot_token_registry::HotTokenRegistry;
use crate::profile_retry;

/// A token that was made so much later than the refused one says little of it: it may be the first one after the death of all.
const SAME_MORNING: TimeDelta = TimeDelta::hours(1);

/// Verification by profile.
pub struct ProfileVerificationService {
    profiles: Arc<dyn ProfileApi>,
    prices: Arc<dyn LastPriceApi>,
    tokens: Arc<dyn UpstoxTokenRepository>,
    registry: Arc<HotTokenRegistry>,
    events: Arc<dyn EventSink>,
    clock: Arc<dyn Clock>,
    parallel: usize,
}

/// What asking about one token came to.
enum CheckOutcome {
    /// It is on record.
    Settled(StoredToken),
    /// The profile call refuses a token that was good, and the rest of the round is to be heard first.
    Refused(StoredToken),
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
        let asking = tokens.into_iter().map(|token| self.ask(token));
        let mut asked = stream::iter(asking).buffer_unordered(self.parallel);
        let (mut verified, mut refused) = (Vec::new(), Vec::new());
        while let Some(answer) = asked.next().await {
            match answer? {
                CheckOutcome::Settled(token) => verified.push(token),
                CheckOutcome::Refused(token) => refused.push(token),
            }
        }
        let settling = refused.into_iter().map(|token| {
            let is_vouched_for = verified.iter().any(|other| vouches_for(other, &token));
            self.settle(token, is_vouched_for)
        });
        let mut settled = stream::iter(settling.collect::<Vec<_>>()).buffer_unordered(self.parallel);
        while let Some(token) = settled.next().await {
            verified.push(token?);
        }
        Ok(verified)
    }

    async fn ask(&self, token: StoredToken) -> Result<CheckOutcome, StoreError> {
        let answer = profile_retry::ask(&*self.profiles, &*self.clock, &token).await;
        let was_good = token.verified_at.is_some() && !token.is_refused();
        if answer == ProfileAnswer::Invalid && was_good && !self.is_around_0330() {
            return Ok(CheckOutcome::Refused(token));
        }
        self.record(token, &answer).await.map(CheckOutcome::Settled)
    }

    /// Then all tokens die, and no sign-in begins.
    fn is_around_0330(&self) -> bool {
        expiry::closed_until(self.clock.now()).is_some()
    }

    /// A token that was good and is refused by the profile call.
    async fn settle(&self, token: StoredToken, is_vouched_for: bool) -> Result<StoredToken, StoreError> {
        let answer = if is_vouched_for {
            ProfileAnswer::Invalid
        } else {
            self.second_opinion(&token).await
        };
        self.record(token, &answer).await
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

    async fn record(
        &self,
        mut token: StoredToken,
        answer: &ProfileAnswer,
    ) -> Result<StoredToken, StoreError> {
        let check = LastCheck {
            at: self.clock.now(),
            result: answer.check_for(&token),
        };
        let detail = match answer {
            ProfileAnswer::Valid(user) => format!("generation {}: profile of {user}", token.generation),
            ProfileAnswer::Invalid => format!("generation {}: Upstox calls it dead", token.generation),
            ProfileAnswer::Unknown(failure) => format!("generation {}: {failure}", token.generation),
        };
        tracing::debug!(api = %token.api, detail, "profile checked");
        let audit =
            AuditEntry::new(check.at, AuditKind::TokenChecked, detail).about(&token.account, &token.api);
        let record = TokenCheck {
            api: token.api.clone(),
            generation: token.generation,
            check,
        };
        let newest = self.tokens.record_check(&record, &audit).await?;
        token.apply(check);
        if newest {
            self.registry.publish(&token);
        } else if token.is_refused() {
            self.registry.remove(&token.api, token.generation);
        }
        self.events.emit(Event::TokenChecked {
            api: token.api.clone(),
            status: token.status(check.at),
        });
        Ok(token)
    }
}

/// Whether `other` was answered for just now, and shows that the profile call works for the refused token's account.
fn vouches_for(other: &StoredToken, refused: &StoredToken) -> bool {
    let is_good = other
        .last_check
        .is_some_and(|check| check.result == CheckResult::Valid);
    is_good && other.account == refused.account && other.issued_at - refused.issued_at < SAME_MORNING
}

#[cfg(test)]
mod tests;
