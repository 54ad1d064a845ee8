//! A whole sign-in through the port, with a real browser and a human who answers the prompts.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use tempfile::TempDir;
use tokio::time::Instant;
use vega_domain::account::{Account, Api, RedirectUri, Route};
use vega_domain::failure::Failure;
use vega_domain::ids::{AccountId, ApiName, ClientId, MobileNumber};
use vega_domain::ports::{OtpPermit, Presenter, Prompter, SignIn, SignInRequest};
use vega_domain::run::Wait;
use vega_domain::secret::{ClientSecret, OAuthState, RedirectAddress, SecondFactor};
use vega_domain::sign_in::{Prompt, PromptKind, SignInLink, WindowTask};
use vega_selenium::{BrowserSettings, DriverSource, OAuthLoginAutomation};
use vega_testing::builders::at;
use vega_testing::{MemoryStore, PausedClock, RecordedEvents};

use crate::broker::Broker;
use crate::browser::MOBILE;

/// What the dialog was sent and what must come back.
pub(crate) const STATE: &str = "state-of-this-attempt";
pub(crate) const OTP: &str = "482913";
pub(crate) const PIN: &str = "135790";

/// One desk with one account and one API.
pub(crate) struct SignInDesk {
    folder: TempDir,
    account: Account,
    broker: url::Url,
    /// Whether a person can do something in the window.
    pub(crate) window: bool,
    pub(crate) human_timeout: Duration,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) events: Arc<RecordedEvents>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Prompts that were answered.
    pub(crate) asked: Mutex<Vec<PromptKind>>,
    pub(crate) presses: Mutex<u32>,
    /// When the last prompt was answered, and when the sign-in ended.
    answered: Mutex<Option<Instant>>,
    ended: Mutex<Option<Instant>>,
}

impl Seen {
    /// From the last answer to the end of the sign-in.
    pub(crate) fn since_the_answer(&self) -> Duration {
        let (answered, ended) = (*self.answered.lock().unwrap(), *self.ended.lock().unwrap());
        match (answered, ended) {
            (Some(answered), Some(ended)) => ended - answered,
            _ => Duration::MAX,
        }
    }
}

impl SignInDesk {
    pub(crate) fn new(broker: &Broker, redirect_uri: &str) -> Result<Self> {
        let api = Api {
            name: ApiName::new("PRIMARY")?,
            client_id: ClientId::new("key")?,
            client_secret: ClientSecret::new("CANARY"),
            redirect_uri: RedirectUri::new(redirect_uri)?,
        };
        Ok(Self {
            folder: TempDir::with_prefix("vega-sign-in-")?,
            account: Account {
                id: AccountId::new("default")?,
                mobile_number: MobileNumber::new(MOBILE)?,
                user_id: None,
                route: Route::Webdriver,
                apis: vec![api],
            },
            broker: broker.url(),
            window: false,
            human_timeout: Duration::from_secs(20),
            environment: Vec::new(),
            seen: Arc::default(),
            events: Arc::default(),
        })
    }

    /// Signs in once and ends the browser.
    pub(crate) async fn sign_in(&self) -> Result<Result<String, Failure>> {
        let automation = OAuthLoginAutomation::new(
            self.settings()?,
            Arc::new(MemoryStore::default()),
            self.events.clone(),
            PausedClock::at(at(0)),
        );
        let mut session = match automation.open(&self.account).await {
            Ok(session) => session,
            Err(failure) => return Ok(Err(failure)),
        };
        let request = SignInRequest {
            account: &self.account,
            api: &self.account.apis[0],
            state: &OAuthState::new(STATE),
            otp_permit: &*self.seen,
            prompter: &*self.seen,
            presenter: &*self.seen,
        };
        let outcome = session.sign_in(request).await;
        *self.seen.ended.lock().unwrap() = Some(Instant::now());
        session.close().await;
        Ok(outcome.map(|code| code.expose().to_owned()))
    }

    fn settings(&self) -> Result<BrowserSettings> {
        let mut environment: Vec<_> = std::env::vars_os()
            .filter(|(name, _)| !name.to_string_lossy().to_lowercase().ends_with("_proxy"))
            .collect();
        environment.extend(
            self.environment
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        Ok(BrowserSettings {
            authorize_base: self.broker.clone(),
            driver: DriverSource::Start(PathBuf::from("chromedriver")),
            binary: self
                .window
                .then(|| self.browser_without_a_display())
                .transpose()?,
            headless: !self.window,
            profiles: self.folder.path().into(),
            evidence: self.folder.path().into(),
            human_timeout: self.human_timeout,
            environment,
        })
    }

    /// Vega thinks that there is a window, and no display is needed.
    fn browser_without_a_display(&self) -> Result<PathBuf> {
        use std::os::unix::fs::PermissionsExt;
        let program = self.folder.path().join("browser");
        std::fs::write(&program, "#!/bin/sh\nexec chromium --headless=new \"$@\"\n")?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700))?;
        Ok(program)
    }
}

#[async_trait]
impl OtpPermit for Seen {
    async fn before_press(&self) -> Result<(), Failure> {
        *self.presses.lock().unwrap() += 1;
        Ok(())
    }

    async fn pressed_in_the_window(&self) -> Result<(), Failure> {
        Ok(())
    }
}

#[async_trait]
impl Prompter for Seen {
    async fn ask(&self, prompt: &Prompt) -> SecondFactor {
        self.asked.lock().unwrap().push(prompt.kind);
        *self.answered.lock().unwrap() = Some(Instant::now());
        let typed = match prompt.kind {
            PromptKind::Otp => OTP,
            PromptKind::Pin => PIN,
        };
        SecondFactor::read(prompt.kind, typed).unwrap()
    }

    fn is_there(&self) -> bool {
        true
    }

    async fn ask_address(&self, _: &SignInLink, _: Duration) -> RedirectAddress {
        std::future::pending().await
    }
}

#[async_trait]
impl Presenter for Seen {
    async fn show_wait(&self, _: &Wait) {}

    fn can_see_links(&self) -> bool {
        true
    }

    async fn show_link(&self, _: &SignInLink) {}

    async fn show(&self, _: &WindowTask) {}
}
