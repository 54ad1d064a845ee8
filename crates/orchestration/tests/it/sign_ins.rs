//! Scripted sign-ins: which session is opened and closed when, and how the sign-in for each API goes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use vega_domain::account::Account;
use vega_domain::failure::Failure;
use vega_domain::ids::AccountId;
use vega_domain::ports::{OtpPermit, SignIn, SignInRequest, SignInSession};
use vega_domain::secret::AuthorizationCode;
use vega_testing::Effects;

/// How one sign-in goes.
pub(crate) enum Script {
    /// It ends like this.
    Fails(Failure),
    /// It ends like this after "Get OTP" was pressed.
    FailsPastPress(Failure),
    /// Something else happens while the human signs in.
    Meanwhile(Box<dyn FnOnce() + Send>),
    /// The human never finishes.
    Waits,
}

/// What the sessions share.
#[derive(Default)]
struct Shared {
    /// By API for a sign-in, by account for the opening of its session. Each is used once, in order.
    scripts: HashMap<String, VecDeque<Script>>,
    open: Option<AccountId>,
    evidence_hangs: bool,
    /// So many codes came back.
    codes: u32,
}

/// The way of signing in. Without a script everybody signs in at once.
pub(crate) struct SignIns {
    log: Arc<Effects>,
    shared: Arc<Mutex<Shared>>,
}

impl SignIns {
    pub(crate) fn new(log: Arc<Effects>) -> Self {
        Self {
            log,
            shared: Arc::default(),
        }
    }

    /// For an API, or for an account when its session is opened.
    pub(crate) fn script(&self, whom: &str, script: Script) {
        self.shared
            .lock()
            .unwrap()
            .scripts
            .entry(whom.to_owned())
            .or_default()
            .push_back(script);
    }

    /// From now on everybody signs in at once.
    pub(crate) fn forget_scripts(&self) {
        self.shared.lock().unwrap().scripts.clear();
    }

    /// No evidence is ever ready: a process that dies meanwhile.
    pub(crate) fn evidence_hangs(&self) {
        self.shared.lock().unwrap().evidence_hangs = true;
    }

    pub(crate) fn is_a_session_open(&self) -> bool {
        self.shared.lock().unwrap().open.is_some()
    }
}

async fn play(shared: &Mutex<Shared>, whom: &str, permit: Option<&dyn OtpPermit>) -> Result<(), Failure> {
    let script = {
        let mut shared = shared.lock().unwrap();
        shared.scripts.get_mut(whom).and_then(VecDeque::pop_front)
    };
    match script {
        None => Ok(()),
        Some(Script::Fails(failure)) => Err(failure),
        Some(Script::FailsPastPress(failure)) => {
            if let Some(permit) = permit {
                permit.before_press().await?;
            }
            Err(failure)
        }
        Some(Script::Meanwhile(happens)) => {
            happens();
            Ok(())
        }
        Some(Script::Waits) => std::future::pending().await,
    }
}

#[async_trait]
impl SignIn for SignIns {
    async fn open(&self, account: &Account) -> Result<Box<dyn SignInSession>, Failure> {
        self.log.add(format!("open {}", account.id));
        play(&self.shared, account.id.as_str(), None).await?;
        let before = self.shared.lock().unwrap().open.replace(account.id.clone());
        assert_eq!(before, None, "another session is open");
        Ok(Box::new(Session {
            account: account.id.clone(),
            log: Arc::clone(&self.log),
            shared: Arc::clone(&self.shared),
            failed: false,
        }))
    }
}

struct Session {
    account: AccountId,
    log: Arc<Effects>,
    shared: Arc<Mutex<Shared>>,
    /// The last sign-in failed, and nothing was kept of it.
    failed: bool,
}

#[async_trait]
impl SignInSession for Session {
    async fn sign_in<'a>(&mut self, request: SignInRequest<'a>) -> Result<AuthorizationCode, Failure> {
        assert_eq!(
            request.account.id, self.account,
            "a session belongs to one account"
        );
        let api = &request.api.name;
        self.log.add(format!("sign in {api}"));
        self.failed = false;
        let played = play(&self.shared, api.as_str(), Some(request.otp_permit)).await;
        self.failed = played.is_err();
        played?;
        let mut shared = self.shared.lock().unwrap();
        shared.codes += 1;
        Ok(AuthorizationCode::new(format!(
            "CANARY-code-{api}-{}",
            shared.codes
        )))
    }

    async fn keep_evidence(&mut self) {
        if !std::mem::take(&mut self.failed) {
            return;
        }
        self.log.add(format!("keep evidence of {}", self.account));
        if self.shared.lock().unwrap().evidence_hangs {
            std::future::pending::<()>().await;
        }
    }

    async fn close(self: Box<Self>) {
        self.log.add(format!("close {}", self.account));
        self.shared.lock().unwrap().open = None;
    }
}
