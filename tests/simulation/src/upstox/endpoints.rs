//! Upstox's endpoints as one process reaches them: over a network that loses what is sent and what is answered.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Timelike, Utc};
use tokio::time::sleep;
use vega_domain::account::Api;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::UserId;
use vega_domain::ports::{
    BrokerClock, ExchangeError, LastPriceAnswer, LastPriceApi, ProfileAnswer, ProfileApi, SessionLogout,
    TokenAnswer, TokenExchange,
};
use vega_domain::secret::{AccessToken, AuthorizationCode, ExtendedToken, RawAnswer};

use super::{Issued, STRANGER};
use crate::fault_state::{Reach, Storage};
use crate::here::Here;
use crate::injected_defects::InjectedDefect;
use crate::locked::locked;
use crate::rules::Rule;

/// The calls of one process.
pub(crate) struct Endpoints {
    here: Here,
}

fn failure(reason: FailureReason) -> Failure {
    Failure::new(reason, "as the fault state says")
}

impl Endpoints {
    pub(crate) fn new(here: Here) -> Self {
        Self { here }
    }

    fn storm(&self) -> u32 {
        self.here.world.faults().storm
    }

    /// How long a call takes: seldom long.
    async fn call(&self) {
        self.here.point().await;
        let rng = &self.here.world.rng;
        let slow = rng.permille(self.storm());
        let takes = if slow {
            rng.seconds(2..=25)
        } else {
            rng.millis(40..=600)
        };
        self.here.rest(takes).await;
    }

    /// Why a call cannot be made now, if it cannot.
    fn trouble(&self) -> Option<FailureReason> {
        match self.here.world.faults().reach {
            Reach::Down => Some(FailureReason::BrokerDown),
            Reach::NoNetwork => Some(FailureReason::Network),
            Reach::Throttles => Some(FailureReason::Throttled),
            Reach::Works => {
                let rng = &self.here.world.rng;
                let some = [
                    FailureReason::BrokerDown,
                    FailureReason::Network,
                    FailureReason::Throttled,
                    FailureReason::Blocked,
                    FailureReason::ServiceHours,
                ];
                rng.permille(self.storm() * 2).then(|| *rng.pick(&some))
            }
        }
    }

    async fn post(&self, api: &Api, code: &AuthorizationCode) -> Result<RawAnswer, ExchangeError> {
        self.call().await;
        let here = &self.here;
        let (rng, storm) = (&here.world.rng, self.storm());
        let reach = here.world.faults().reach;
        if reach == Reach::NoNetwork || rng.permille(storm) {
            here.tell(&format!("POST for {} is not sent", api.name));
            return Err(ExchangeError::NotSent(Failure::new(
                FailureReason::Network,
                "connection refused",
            )));
        }
        let lost = |words: &str| Err(ExchangeError::OutcomeUnknown(words.into()));
        let arrived = here.world.upstox.books().arrives(code.expose());
        here.tell(&format!("POST for {}", api.name));
        here.check_effect(&format!("a code of {} is sent", api.name));
        if arrived > 1 {
            here.broken(
                Rule::CodeTwice,
                &format!("the code of {} arrived {arrived} times", api.name),
            );
        }
        here.point().await;
        if rng.permille(storm) {
            here.tell("the call is lost on its way");
            return lost("timed out");
        }
        match reach {
            Reach::Down => return Ok(RawAnswer::new(500, b"down".to_vec(), true)),
            Reach::Throttles => return Ok(RawAnswer::new(429, b"UDAPI10005".to_vec(), true)),
            Reach::Works | Reach::NoNetwork => {}
        }
        let now = here.world.time.truth();
        let issued = here
            .world
            .upstox
            .books()
            .exchange(api.client_id.as_str(), code.expose(), now);
        let Some(issued) = issued else {
            here.tell(&format!("Upstox refuses the code of {}", api.name));
            return Ok(RawAnswer::new(401, b"UDAPI100057".to_vec(), true));
        };
        here.tell(&format!("Upstox issues a token for {}", api.name));
        self.disk_fills_up();
        here.point().await;
        here.rest(rng.millis(20..=900)).await;
        if rng.permille(storm) {
            here.tell("its answer is lost on the way");
            return lost("connection reset");
        }
        if rng.permille(storm / 2) {
            here.tell("its answer arrives in pieces");
            return Ok(RawAnswer::new(200, b"{\"access_tok".to_vec(), false));
        }
        locked(&here.process.received).push((issued.text.clone(), now));
        Ok(self.answer(&issued))
    }

    /// Now and then the database fails in the very moment in which it is needed most.
    fn disk_fills_up(&self) {
        let world = &self.here.world;
        if !world.rng.permille(self.storm()) {
            return;
        }
        world.tell("-- the disk is full for a while");
        world.change_faults(|faults| faults.storage = Storage::TakesNothing);
        let (world, length) = (Arc::clone(world), world.rng.seconds(1..=40));
        tokio::spawn(async move {
            sleep(length).await;
            world.change_faults(|faults| faults.storage = Storage::Works);
        });
    }

    fn answer(&self, issued: &Issued) -> RawAnswer {
        // Some tokens tell when they die.
        let tells = self.here.world.rng.permille(500);
        let dies = if tells { issued.dies_at.timestamp() } else { 0 };
        let body = format!("{} {} {dies}", issued.text, issued.user);
        RawAnswer::new(200, body.into_bytes(), true)
    }
}

#[async_trait]
impl TokenExchange for Endpoints {
    async fn exchange(&self, api: &Api, code: &AuthorizationCode) -> Result<RawAnswer, ExchangeError> {
        match self.post(api, code).await {
            Err(ExchangeError::OutcomeUnknown(_)) if self.here.is_injected(InjectedDefect::SecondPost) => {
                self.post(api, code).await
            }
            answered => answered,
        }
    }

    fn read(&self, answer: &RawAnswer) -> Result<TokenAnswer, Failure> {
        let body = String::from_utf8_lossy(answer.expose());
        let refused = |reason| Err(Failure::new(reason, format!("HTTP {}", answer.status)));
        match (answer.status, answer.complete) {
            (200, true) => {}
            (200, false) => return refused(FailureReason::NeedsReview),
            (429, _) => return refused(FailureReason::Throttled),
            (401, _) => return refused(FailureReason::CodeRejected),
            _ => return refused(FailureReason::OutcomeUnknown),
        }
        let [text, user, dies] = body.split(' ').collect::<Vec<_>>()[..] else {
            return refused(FailureReason::NeedsReview);
        };
        let Ok(user_id) = UserId::new(user) else {
            return refused(FailureReason::NeedsReview);
        };
        let exp = dies.parse().ok().filter(|seconds| *seconds > 0);
        Ok(TokenAnswer {
            access_token: AccessToken::new(text),
            extended_token: Some(ExtendedToken::new(format!("CANARY-extended-{text}"))),
            user_id,
            exp: exp.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        })
    }
}

#[async_trait]
impl ProfileApi for Endpoints {
    async fn profile(&self, token: &AccessToken) -> ProfileAnswer {
        self.call().await;
        let here = &self.here;
        let now = here.world.time.truth();
        let mut books = here.world.upstox.books();
        if let Some(reason) = self.trouble() {
            let owner = books
                .token(token.expose())
                .and_then(|token| UserId::new(&*token.user).ok());
            return match (here.world.defect, owner) {
                (Some(InjectedDefect::OutageIsDeath), _) => ProfileAnswer::Invalid,
                (Some(InjectedDefect::OutageIsLife), Some(owner)) => ProfileAnswer::Valid(owner),
                _ => ProfileAnswer::Unknown(failure(reason)),
            };
        }
        match books.token_mut(token.expose()) {
            Some(token) if token.is_alive(now) => match UserId::new(&*token.user) {
                Ok(owner) => {
                    token.is_confirmed = true;
                    ProfileAnswer::Valid(owner)
                }
                Err(_) => ProfileAnswer::Invalid,
            },
            _ => ProfileAnswer::Invalid,
        }
    }
}

#[async_trait]
impl LastPriceApi for Endpoints {
    async fn last_price(&self, token: &AccessToken) -> LastPriceAnswer {
        match self.profile(token).await {
            ProfileAnswer::Valid(_) => LastPriceAnswer::Given,
            ProfileAnswer::Invalid => LastPriceAnswer::TokenDead,
            ProfileAnswer::Unknown(failure) => LastPriceAnswer::Unknown(failure),
        }
    }
}

#[async_trait]
impl BrokerClock for Endpoints {
    async fn time(&self) -> Result<Option<DateTime<Utc>>, Failure> {
        self.call().await;
        let reach = self.here.world.faults().reach;
        let rng = &self.here.world.rng;
        if reach == Reach::NoNetwork || rng.permille(self.storm()) {
            return Err(failure(FailureReason::Network));
        }
        if rng.permille(self.storm() / 2) {
            return Ok(None);
        }
        Ok(self.here.world.time.truth().with_nanosecond(0))
    }
}

#[async_trait]
impl SessionLogout for Endpoints {
    async fn log_out(&self, token: &AccessToken) -> Result<(), Failure> {
        self.call().await;
        if let Some(reason) = self.trouble() {
            return Err(failure(reason));
        }
        self.here.tell("logs a token out");
        let mut books = self.here.world.upstox.books();
        let Some(issued) = books.token_mut(token.expose()) else {
            return Ok(());
        };
        issued.is_logged_out = true;
        let issued = issued.clone();
        books.kill(&issued.client);
        let is_a_strangers = issued.user == STRANGER;
        drop(books);
        if !is_a_strangers {
            self.here.broken(
                Rule::TokenDropped,
                &format!("one of {} was logged out", issued.client),
            );
        }
        Ok(())
    }
}
