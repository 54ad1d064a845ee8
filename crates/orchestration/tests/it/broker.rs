//! Upstox as programs see it: every code becomes a token of its API, every token has a profile unless scripted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::time::sleep;
use vega_domain::account::Api;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::UserId;
use vega_domain::ports::{
    BrokerClock, ExchangeError, LastPriceAnswer, LastPriceApi, ProfileAnswer, ProfileApi, SessionLogout,
    TokenAnswer, TokenExchange,
};
use vega_domain::secret::{AccessToken, AuthorizationCode, RawAnswer};
use vega_testing::Effects;

use crate::orchestration_fixture::user;

pub(crate) struct Broker {
    log: Arc<Effects>,
    profiles: Mutex<HashMap<String, ProfileAnswer>>,
    /// Whose stored token is dead, until a new one is made.
    dead: Mutex<HashSet<String>>,
    /// A price call says what the profile says, unless this does.
    prices: Mutex<Option<LastPriceAnswer>>,
    /// How long a price call takes.
    price_takes: Mutex<Duration>,
    time: Mutex<Result<Option<DateTime<Utc>>, Failure>>,
    refuses: Mutex<Option<Failure>>,
    /// How the next answers to codes of one API read, or that none comes.
    exchanges: Mutex<HashMap<String, VecDeque<Exchanged>>>,
    /// How long a token call takes.
    takes: Mutex<Duration>,
    /// Codes that arrived here.
    arrived: Mutex<HashSet<String>>,
}

/// How one token call goes.
#[derive(Clone)]
pub(crate) enum Exchanged {
    /// It does not leave the machine.
    NotSent,
    /// It leaves, and no answer comes.
    Lost,
    /// Its answer reads like this.
    Refused(Failure),
}

impl Broker {
    pub(crate) fn new(log: Arc<Effects>) -> Self {
        Self {
            log,
            profiles: Mutex::default(),
            dead: Mutex::default(),
            prices: Mutex::default(),
            price_takes: Mutex::default(),
            time: Mutex::new(Ok(None)),
            refuses: Mutex::default(),
            exchanges: Mutex::default(),
            takes: Mutex::default(),
            arrived: Mutex::default(),
        }
    }

    /// What the profile says about the tokens of one API.
    pub(crate) fn says(&self, api: &str, answer: ProfileAnswer) {
        self.profiles.lock().unwrap().insert(api.to_owned(), answer);
    }

    /// The stored token of this API is dead.
    pub(crate) fn holds_dead(&self, api: &str) {
        self.dead.lock().unwrap().insert(api.to_owned());
    }

    /// It was dead by mistake.
    pub(crate) fn holds_good(&self, api: &str) {
        self.dead.lock().unwrap().remove(api);
    }

    /// What it says to whoever asks for a price.
    pub(crate) fn answers_price_calls(&self, answer: LastPriceAnswer) {
        *self.prices.lock().unwrap() = Some(answer);
    }

    /// From now on an answer to a price call takes so long.
    pub(crate) fn takes_for_a_price(&self, time: Duration) {
        *self.price_takes.lock().unwrap() = time;
    }

    /// How its answers to a code read.
    pub(crate) fn reads(&self, failure: Failure) {
        *self.refuses.lock().unwrap() = Some(failure);
    }

    /// The next token call for this API goes like this.
    pub(crate) fn exchanges(&self, api: &str, so: Exchanged) {
        let mut scripted = self.exchanges.lock().unwrap();
        scripted.entry(api.to_owned()).or_default().push_back(so);
    }

    /// From now on its answers to codes take so long.
    pub(crate) fn takes(&self, time: Duration) {
        *self.takes.lock().unwrap() = time;
    }

    /// From now on it answers everybody well.
    pub(crate) fn is_well(&self) {
        self.exchanges.lock().unwrap().clear();
        self.profiles.lock().unwrap().clear();
    }

    /// What its answers are dated, if they are.
    pub(crate) fn dates(&self, time: Option<DateTime<Utc>>) {
        *self.time.lock().unwrap() = Ok(time);
    }

    /// Without a token it cannot be reached either.
    pub(crate) fn is_out_of_reach(&self) {
        *self.time.lock().unwrap() = Err(Failure::new(FailureReason::Network, "timed out"));
    }

    pub(crate) fn is_unreachable_for(&self, api: &str) {
        let outage = Failure::new(FailureReason::Network, "timed out");
        self.says(api, ProfileAnswer::Unknown(outage));
    }
}

/// The token of an API, as text.
pub(crate) fn token(api: &str) -> String {
    format!("CANARY-token-{api}")
}

/// What the token endpoint answers to a code of this API.
pub(crate) fn answer(api: &str) -> RawAnswer {
    RawAnswer::new(200, api.as_bytes().to_vec(), true)
}

#[async_trait]
impl TokenExchange for Broker {
    async fn exchange(&self, api: &Api, code: &AuthorizationCode) -> Result<RawAnswer, ExchangeError> {
        let own = format!("CANARY-code-{}-", api.name);
        assert!(code.expose().starts_with(&own), "a code of another app");
        self.log.add(format!("POST {}", api.name));
        let takes = *self.takes.lock().unwrap();
        if !takes.is_zero() {
            sleep(takes).await;
        }
        let name = api.name.as_str();
        let mut scripted = self.exchanges.lock().unwrap();
        let exchanged = scripted.get_mut(name).and_then(VecDeque::pop_front);
        if matches!(exchanged, Some(Exchanged::NotSent)) {
            return Err(ExchangeError::NotSent(Failure::new(
                FailureReason::Network,
                "connection refused",
            )));
        }
        let is_new = self.arrived.lock().unwrap().insert(code.expose().to_owned());
        assert!(is_new, "a code is sent once");
        match exchanged {
            Some(Exchanged::Lost) => Err(ExchangeError::OutcomeUnknown("timed out".into())),
            Some(Exchanged::Refused(failure)) => {
                let words = format!("{}\n{}", failure.reason, failure.detail);
                Ok(RawAnswer::new(400, words.into_bytes(), true))
            }
            _ => {
                self.holds_good(name);
                Ok(answer(name))
            }
        }
    }

    fn read(&self, answer: &RawAnswer) -> Result<TokenAnswer, Failure> {
        if let Some(failure) = self.refuses.lock().unwrap().clone() {
            return Err(failure);
        }
        let api = std::str::from_utf8(answer.expose()).unwrap();
        if let Some((reason, detail)) = api.split_once('\n').filter(|_| answer.status != 200) {
            return Err(Failure::new(FailureReason::parse(reason).unwrap(), detail));
        }
        Ok(TokenAnswer {
            access_token: AccessToken::new(token(api)),
            extended_token: None,
            user_id: owner(),
            exp: None,
        })
    }
}

#[async_trait]
impl ProfileApi for Broker {
    async fn profile(&self, asked: &AccessToken) -> ProfileAnswer {
        if self
            .dead
            .lock()
            .unwrap()
            .iter()
            .any(|api| token(api) == asked.expose())
        {
            return ProfileAnswer::Invalid;
        }
        let profiles = self.profiles.lock().unwrap();
        let scripted = profiles.iter().find(|(api, _)| token(api) == asked.expose());
        scripted.map_or_else(|| ProfileAnswer::Valid(owner()), |(_, answer)| answer.clone())
    }
}

#[async_trait]
impl LastPriceApi for Broker {
    async fn last_price(&self, asked: &AccessToken) -> LastPriceAnswer {
        self.log.add(format!(
            "price for {}",
            asked.expose().trim_start_matches("CANARY-token-")
        ));
        let takes = *self.price_takes.lock().unwrap();
        sleep(takes).await;
        let scripted = self.prices.lock().unwrap().clone();
        match (scripted, self.profile(asked).await) {
            (Some(answer), _) => answer,
            (None, ProfileAnswer::Valid(_)) => LastPriceAnswer::Given,
            (None, ProfileAnswer::Invalid) => LastPriceAnswer::TokenDead,
            (None, ProfileAnswer::Unknown(failure)) => LastPriceAnswer::Unknown(failure),
        }
    }
}

#[async_trait]
impl BrokerClock for Broker {
    async fn time(&self) -> Result<Option<DateTime<Utc>>, Failure> {
        self.time.lock().unwrap().clone()
    }
}

#[async_trait]
impl SessionLogout for Broker {
    async fn log_out(&self, _token: &AccessToken) -> Result<(), Failure> {
        Ok(())
    }
}

fn owner() -> UserId {
    user("AB1234")
}
