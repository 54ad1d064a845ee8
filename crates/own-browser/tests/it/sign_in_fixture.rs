//! One session of the route: journal, permit, a human who is shown links and pastes addresses, and what was told.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use url::Url;
use vega_domain::account::{Account, Api, RedirectUri, Route};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{OtpPermit, Presenter, Prompter, SignIn, SignInRequest, SignInSession};
use vega_domain::run::Wait;
use vega_domain::secret::{AuthorizationCode, OAuthState, RedirectAddress, SecondFactor};
use vega_domain::sign_in::{Notice, Prompt, SignInLink, WindowTask};
use vega_listening::Scheme;
use vega_own_browser::{OwnBrowser, OwnBrowserSettings, ServerPlace};
use vega_testing::builders::{account_with, at, configured};
use vega_testing::{KeyedProof, RecordedEvents, TestClock};

use crate::journal::Journal;

pub(crate) struct SignInFixture {
    pub(crate) journal: Journal,
    pub(crate) human: Human,
    pub(crate) permit: Permit,
    events: Arc<RecordedEvents>,
    settings: OwnBrowserSettings,
    uri: String,
}

/// Counts what is put on record, up to a limit.
pub(crate) struct Permit {
    pub(crate) asked: AtomicU32,
    pub(crate) budget: u32,
}

#[async_trait]
impl OtpPermit for Permit {
    async fn before_press(&self) -> Result<(), Failure> {
        if self.asked.fetch_add(1, Ordering::Relaxed) >= self.budget {
            return Err(Failure::new(FailureReason::OtpBudget, ""));
        }
        Ok(())
    }

    async fn pressed_in_the_window(&self) -> Result<(), Failure> {
        unreachable!("this route sees no screen")
    }
}

/// Sees each link, and pastes what the test says.
pub(crate) struct Human {
    links: mpsc::UnboundedSender<SignInLink>,
    pastes: tokio::sync::Mutex<mpsc::UnboundedReceiver<String>>,
    is_there: bool,
}

#[async_trait]
impl Prompter for Human {
    fn is_there(&self) -> bool {
        self.is_there
    }

    async fn ask(&self, _prompt: &Prompt) -> SecondFactor {
        unreachable!("OTP and PIN are the browser's")
    }

    async fn ask_address(&self, _link: &SignInLink, _time_left: Duration) -> RedirectAddress {
        match self.pastes.lock().await.recv().await {
            Some(text) => RedirectAddress::new(text),
            None => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Presenter for Human {
    async fn show_wait(&self, _wait: &Wait) {
        unreachable!("runs wait, routes do not")
    }

    async fn show(&self, _task: &WindowTask) {
        unreachable!("there is no window of Vega's")
    }

    fn can_see_links(&self) -> bool {
        self.is_there
    }

    async fn show_link(&self, link: &SignInLink) {
        self.links.send(link.clone()).unwrap();
    }
}

/// What a `vega-server` of this installation would say.
pub(crate) const PROOF: KeyedProof = KeyedProof("ours");

/// The other side of the fixture: what the human sees, and a keyboard.
pub(crate) struct Desk {
    pub(crate) links: mpsc::UnboundedReceiver<SignInLink>,
    pub(crate) keyboard: mpsc::UnboundedSender<String>,
}

/// A port of this machine that nobody listens at.
pub(crate) async fn free_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

impl SignInFixture {
    /// With redirect URIs at `uri`.
    pub(crate) fn new(uri: &str) -> (Self, Desk) {
        let (links_to, links) = mpsc::unbounded_channel();
        let (keyboard, pastes) = mpsc::unbounded_channel();
        let fixture = Self {
            journal: Journal::default(),
            human: Human {
                links: links_to,
                pastes: tokio::sync::Mutex::new(pastes),
                is_there: true,
            },
            permit: Permit {
                asked: AtomicU32::new(0),
                budget: 4,
            },
            events: Arc::default(),
            settings: OwnBrowserSettings {
                server: ServerPlace {
                    scheme: Scheme::Http,
                    address: None,
                    is_one_of_several: false,
                    public_url: None,
                },
                authorize_base: Url::parse("https://api.upstox.example").unwrap(),
                human_timeout: Duration::from_secs(30),
                open_links: false,
                environment: Vec::new(),
            },
            uri: uri.into(),
        };
        (fixture, Desk { links, keyboard })
    }

    /// From now on APIs have this redirect URI.
    pub(crate) fn is_registered_at(&mut self, uri: &str) {
        self.uri = uri.into();
    }

    /// There is no terminal.
    pub(crate) fn has_nobody(&mut self) {
        self.human.is_there = false;
    }

    pub(crate) fn waits_for(&mut self, limit: Duration) {
        self.settings.human_timeout = limit;
    }

    pub(crate) fn opens_links(&mut self, environment: Vec<(OsString, OsString)>) {
        self.settings.open_links = true;
        self.settings.environment = environment;
    }

    pub(crate) fn told(&self) -> Vec<Notice> {
        self.events.notices()
    }

    pub(crate) async fn session(&self) -> Box<dyn SignInSession> {
        let route = OwnBrowser::new(
            self.settings.clone(),
            self.journal.store.clone(),
            self.journal.store.clone(),
            Arc::new(PROOF),
            self.events.clone(),
            TestClock::at(at(0)),
        );
        route.open(&self.account("PRIMARY")).await.unwrap()
    }

    fn account(&self, api: &str) -> Account {
        Account {
            user_id: None,
            route: Route::OwnBrowser,
            apis: vec![Api {
                redirect_uri: RedirectUri::new(self.uri.as_str()).unwrap(),
                ..configured(api)
            }],
            ..account_with(&[])
        }
    }

    /// Signs in for `api`; its attempt sends `state`.
    pub(crate) async fn sign_in(
        &self,
        session: &mut Box<dyn SignInSession>,
        api: &str,
        state: &str,
    ) -> Result<String, Failure> {
        self.journal.opens(state, api).await;
        let (account, state_sent) = (self.account(api), OAuthState::new(state));
        let request = SignInRequest {
            account: &account,
            api: &account.apis[0],
            state: &state_sent,
            otp_permit: &self.permit,
            prompter: &self.human,
            presenter: &self.human,
        };
        let code: AuthorizationCode = session.sign_in(request).await?;
        Ok(code.expose().to_owned())
    }
}

/// What a page said.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) policy: Option<String>,
    pub(crate) text: String,
}

/// Opens `url` as a browser does, but follows nothing.
pub(crate) async fn browse(url: impl Into<String>) -> Page {
    browse_as(url, None).await
}

/// The same by another host's name.
pub(crate) async fn browse_as(url: impl Into<String>, host: Option<&'static str>) -> Page {
    let url = url.into();
    let open = move || {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        let mut request = ureq::Agent::from(config).get(url);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let mut answer = request.call().unwrap();
        let header = |name| {
            answer
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        Page {
            status: answer.status().as_u16(),
            policy: header("content-security-policy"),
            text: answer.body_mut().read_to_string().unwrap(),
        }
    };
    tokio::task::spawn_blocking(open).await.unwrap()
}

/// The status that a HEAD request for `url` gets.
pub(crate) async fn look_ahead(url: impl Into<String>) -> u16 {
    let url = url.into();
    let look = move || {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        let answer = ureq::Agent::from(config).head(url).call().unwrap();
        answer.status().as_u16()
    };
    tokio::task::spawn_blocking(look).await.unwrap()
}
