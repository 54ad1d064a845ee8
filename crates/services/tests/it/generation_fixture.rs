//! What one `TokenGenerationService` runs over in a test: clock, database, broker, human and registry, over one log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use vega_domain::account::{Account, Api};
use vega_domain::event::Event;
use vega_domain::failure::Failure;
use vega_domain::ids::{Generation, RunId, UserId};
use vega_domain::ports::{
    Clock, CodeDelivery, EventSink, ExchangeError, LeaseHolder, MockPresenter, MockPrompter, ProfileAnswer,
    ProfileApi, SessionLogout, SignInRequest, SignInSession, TokenAnswer, TokenExchange,
};
use vega_domain::secret::{AccessToken, AuthorizationCode, ExtendedToken, RawAnswer};
use vega_domain::sign_in::OtpBudget;
use vega_services::{GenerationPorts, HotTokenRegistry, TokenGenerationService};
use vega_testing::builders::account_with;
pub(crate) use vega_testing::builders::configured as api;
use vega_testing::{Effects, MemoryStore, PausedClock};

use crate::faults::Faults;

pub(crate) const BUDGET: OtpBudget = OtpBudget {
    presses: 4,
    window: Duration::from_mins(11),
};

/// A moment on India's clock, as `2026-11-23T08:45:00`.
pub(crate) fn ist(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(&format!("{text}+05:30"))
        .unwrap()
        .to_utc()
}

/// Another process, on another machine.
pub(crate) fn another_process() -> LeaseHolder {
    LeaseHolder {
        pid: 4711,
        host: "desk-b".into(),
        since: ist("2026-11-23T08:44:00"),
        is_this_process: false,
    }
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

pub(crate) struct GenerationFixture {
    pub(crate) log: Arc<Effects>,
    pub(crate) clock: Arc<PausedClock>,
    pub(crate) database: Arc<MemoryStore>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) broker: Arc<Broker>,
    pub(crate) registry: Arc<HotTokenRegistry>,
    pub(crate) events: Arc<Events>,
    pub(crate) account: Account,
    pub(crate) run: RunId,
    pub(crate) budget: OtpBudget,
}

impl GenerationFixture {
    /// On a working morning.
    pub(crate) fn new() -> Self {
        Self::at(ist("2026-11-23T08:45:00"))
    }

    pub(crate) fn at(now: DateTime<Utc>) -> Self {
        let log = Arc::new(Effects::default());
        let clock = PausedClock::at(now);
        let registry = Arc::new(HotTokenRegistry::new(clock.clone()));
        let faults = Arc::new(Faults::new(Arc::clone(&log), Arc::clone(&registry)));
        Self {
            database: Arc::new(MemoryStore::watched_by(faults.clone())),
            faults,
            broker: Arc::new(Broker::new(Arc::clone(&log))),
            events: Arc::new(Events {
                log: Arc::clone(&log),
                all: Mutex::default(),
            }),
            account: account_with(&["PRIMARY", "WEBSOCKET1"]),
            run: RunId::at(now),
            budget: BUDGET,
            log,
            clock,
            registry,
        }
    }

    pub(crate) fn service(&self) -> TokenGenerationService {
        let ports = GenerationPorts {
            tokens: self.database.clone(),
            lease: self.database.clone(),
            attempts: self.database.clone(),
            otp_ledger: self.database.clone(),
            codes: self.database.clone(),
            exchange: self.broker.clone(),
            profiles: self.broker.clone(),
            logout: self.broker.clone(),
            audit: self.database.clone(),
            history: self.database.clone(),
            // Any call of the operator would panic: the second factor is the session's business.
            prompter: Arc::new(MockPrompter::new()),
            presenter: Arc::new(MockPresenter::new()),
            registry: self.registry.clone(),
            events: self.events.clone(),
            clock: self.clock.clone(),
        };
        TokenGenerationService::new(ports, self.budget)
    }

    /// Makes one token for the account's first API, with a human who signs in at once.
    pub(crate) async fn generate(&self) -> Result<Generation, Failure> {
        self.generate_with(&mut self.human()).await
    }

    pub(crate) async fn generate_with(&self, human: &mut Human) -> Result<Generation, Failure> {
        self.generate_until(human, &CancellationToken::new()).await
    }

    pub(crate) async fn generate_until(
        &self,
        human: &mut Human,
        cancel: &CancellationToken,
    ) -> Result<Generation, Failure> {
        let (account, api) = (&self.account, &self.account.apis[0]);
        let service = self.service();
        let made = service.generate(self.run, account, api, human, &*self.faults, cancel);
        // Of paused time, so whatever hangs fails at once.
        tokio::time::timeout(Duration::from_hours(1), made).await.unwrap()
    }

    /// A session whose human signs in at once, with one press of "Get OTP".
    pub(crate) fn human(&self) -> Human {
        Human {
            log: Arc::clone(&self.log),
            presses: 1,
            presses_in_the_window: false,
            waits_for: None,
            fails: None,
            fails_first: VecDeque::new(),
            refused: None,
            states: Vec::new(),
        }
    }

    /// A redirect brings the code of the attempt that waits.
    pub(crate) async fn delivers(&self) {
        let attempt = self.database.attempts().pop().unwrap();
        let code = AuthorizationCode::new("CANARY-code");
        let delivered = self
            .database
            .deliver_code(&attempt.state, &code, self.clock.now());
        delivered.await.unwrap();
    }

    pub(crate) fn is_served(&self) -> bool {
        self.registry.get(&self.account.apis[0].name).is_some()
    }
}

/// A scripted session.
pub(crate) struct Human {
    log: Arc<Effects>,
    /// How often the page is asked for an OTP.
    pub(crate) presses: u32,
    /// The human presses "Get OTP" in the window.
    pub(crate) presses_in_the_window: bool,
    /// The code is not there before this is sent.
    pub(crate) waits_for: Option<oneshot::Receiver<()>>,
    /// How it ends, if not with a code.
    pub(crate) fails: Option<Failure>,
    /// How it ends before that, before anything is pressed, one after the other.
    pub(crate) fails_first: VecDeque<Failure>,
    /// What the page refused, while the human may still correct it.
    pub(crate) refused: Option<Failure>,
    /// The `state` of each sign-in.
    pub(crate) states: Vec<String>,
}

#[async_trait]
impl SignInSession for Human {
    async fn sign_in<'a>(&mut self, request: SignInRequest<'a>) -> Result<AuthorizationCode, Failure> {
        self.log.add("sign_in");
        self.states.push(request.state.expose().to_owned());
        if let Some(failure) = self.fails_first.pop_front() {
            return Err(failure);
        }
        if self.presses_in_the_window {
            self.log.add("press in the window");
            request.otp_permit.pressed_in_the_window().await?;
        }
        for _ in 0..self.presses {
            request.otp_permit.before_press().await?;
            self.log.add("press");
        }
        if let Some(code) = self.waits_for.take() {
            code.await.unwrap();
        }
        match self.fails.clone() {
            Some(failure) => Err(failure),
            None => Ok(AuthorizationCode::new("CANARY-code")),
        }
    }

    fn refused(&self) -> Option<Failure> {
        self.refused.clone()
    }

    async fn close(self: Box<Self>) {
        unreachable!("sessions are closed by whoever opened them")
    }
}

/// One POST: how long it takes and what comes back.
pub(crate) type Post = (Duration, Result<RawAnswer, ExchangeError>);

/// The token and profile endpoints. Without a script they answer well and at once.
pub(crate) struct Broker {
    log: Arc<Effects>,
    pub(crate) posts: Mutex<VecDeque<Post>>,
    pub(crate) read: Mutex<Result<TokenAnswer, Failure>>,
    pub(crate) profile: Mutex<ProfileAnswer>,
    /// What the next profile calls say before that.
    pub(crate) first_profiles: Mutex<VecDeque<ProfileAnswer>>,
    logout: Mutex<Result<(), Failure>>,
}

impl Broker {
    fn new(log: Arc<Effects>) -> Self {
        Self {
            log,
            posts: Mutex::default(),
            read: Mutex::new(Ok(token_of("AB1234"))),
            profile: Mutex::new(ProfileAnswer::Valid(user("AB1234"))),
            first_profiles: Mutex::default(),
            logout: Mutex::new(Ok(())),
        }
    }

    /// The next POSTs, each taking `takes`.
    pub(crate) fn answers(&self, takes: Duration, posts: Vec<Result<RawAnswer, ExchangeError>>) {
        *self.posts.lock().unwrap() = posts.into_iter().map(|post| (takes, post)).collect();
    }

    pub(crate) fn reads(&self, read: Result<TokenAnswer, Failure>) {
        *self.read.lock().unwrap() = read;
    }

    pub(crate) fn refuses_logout(&self, failure: Failure) {
        *self.logout.lock().unwrap() = Err(failure);
    }

    /// Says this to the next profile calls, and what it said before to those after them.
    pub(crate) fn says_first(&self, profiles: impl IntoIterator<Item = ProfileAnswer>) {
        self.first_profiles.lock().unwrap().extend(profiles);
    }

    pub(crate) fn says(&self, profile: ProfileAnswer) {
        *self.profile.lock().unwrap() = profile;
    }
}

pub(crate) fn token_of(owner: &str) -> TokenAnswer {
    TokenAnswer {
        access_token: AccessToken::new("CANARY-token"),
        extended_token: Some(ExtendedToken::new("CANARY-extended")),
        user_id: user(owner),
        exp: None,
    }
}

pub(crate) fn raw_answer() -> RawAnswer {
    RawAnswer::new(200, b"CANARY-answer".to_vec(), true)
}

#[async_trait]
impl TokenExchange for Broker {
    async fn exchange(&self, _api: &Api, code: &AuthorizationCode) -> Result<RawAnswer, ExchangeError> {
        self.log.add("POST");
        assert_eq!(code.expose(), "CANARY-code", "the code of the redirect is sent");
        let next = self.posts.lock().unwrap().pop_front();
        let (takes, answer) = next.unwrap_or((Duration::ZERO, Ok(raw_answer())));
        tokio::time::sleep(takes).await;
        answer
    }

    fn read(&self, answer: &RawAnswer) -> Result<TokenAnswer, Failure> {
        self.log.add("read");
        assert_eq!(answer.expose(), b"CANARY-answer", "what was received is read");
        self.read.lock().unwrap().clone()
    }
}

#[async_trait]
impl ProfileApi for Broker {
    async fn profile(&self, token: &AccessToken) -> ProfileAnswer {
        self.log.add("profile");
        assert_eq!(token.expose(), "CANARY-token", "the new token is asked about");
        if let Some(first) = self.first_profiles.lock().unwrap().pop_front() {
            return first;
        }
        self.profile.lock().unwrap().clone()
    }
}

#[async_trait]
impl SessionLogout for Broker {
    async fn log_out(&self, token: &AccessToken) -> Result<(), Failure> {
        self.log.add("log out");
        assert_eq!(token.expose(), "CANARY-token");
        self.logout.lock().unwrap().clone()
    }
}

/// Takes events; a published token is one effect in the log.
pub(crate) struct Events {
    log: Arc<Effects>,
    pub(crate) all: Mutex<Vec<Event>>,
}

impl EventSink for Events {
    fn emit(&self, event: Event) {
        if let Event::TokenPublished { .. } = &event {
            self.log.add("publish");
        }
        self.all.lock().unwrap().push(event);
    }
}
