//! The sign-in itself: shows one link, then waits for its code until the human's time is over. The wait finds the code on
//! record, whoever put it there: this process's listener, a paste, or a server beside it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use tokio::time::{Instant, sleep, sleep_until};
use vega_domain::account::{Account, RedirectUri};
use vega_domain::authorize::{Redirect, authorize_url};
use vega_domain::event::Event;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{
    AuditTrail, Clock, CodeDelivery, EventSink, ListenerProof, SignIn, SignInRequest, SignInSession,
};
use vega_domain::secret::{AuthorizationCode, AuthorizeLink, OAuthState, RedirectAddress};
use vega_domain::sign_in::{Notice, SignInLink, WayBack};

use crate::callback::{CallbackListener, News};
use crate::code_receiver::{CodeReceiver, Received};
use crate::redirect_file::{Opening, RedirectFile};
use crate::server_check;
use crate::settings::OwnBrowserSettings;

/// How often it is asked for a code that another process received.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// What the sessions share.
struct Shared {
    settings: OwnBrowserSettings,
    codes: Arc<dyn CodeDelivery>,
    receiver: Arc<CodeReceiver>,
    proof: Arc<dyn ListenerProof>,
    events: Arc<dyn EventSink>,
    clock: Arc<dyn Clock>,
}

/// The own-browser route of signing in.
pub struct OwnBrowser(Arc<Shared>);

impl OwnBrowser {
    /// With these settings; what comes back is looked for in `codes`, refused redirects go into `audit`. By `proof` a `vega-server`
    /// that takes codes is known for ours.
    pub fn new(
        settings: OwnBrowserSettings,
        codes: Arc<dyn CodeDelivery>,
        audit: Arc<dyn AuditTrail>,
        proof: Arc<dyn ListenerProof>,
        events: Arc<dyn EventSink>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let receiver = CodeReceiver::new(Arc::clone(&codes), audit, Arc::clone(&clock));
        Self(Arc::new(Shared {
            settings,
            codes,
            receiver: Arc::new(receiver),
            proof,
            events,
            clock,
        }))
    }
}

#[async_trait]
impl SignIn for OwnBrowser {
    async fn open(&self, _account: &Account) -> Result<Box<dyn SignInSession>, Failure> {
        let news = Arc::new(News::default());
        Ok(Box::new(AccountSession {
            shared: Arc::clone(&self.0),
            listener: CallbackListener::new(Arc::clone(&self.0.receiver), Arc::clone(&news)),
            news,
            counted: false,
        }))
    }
}

struct AccountSession {
    shared: Arc<Shared>,
    news: Arc<News>,
    /// Open until the session ends: a page may be loaded again after its code was taken.
    listener: CallbackListener,
    /// Whether the OTP of this session is on record.
    counted: bool,
}

#[async_trait]
impl SignInSession for AccountSession {
    async fn sign_in<'a>(&mut self, request: SignInRequest<'a>) -> Result<AuthorizationCode, Failure> {
        let way_back = self.way_back(&request.api.redirect_uri).await;
        if let WayBack::PasteOnly { why } = &way_back
            && !request.prompter.is_there()
        {
            let words = format!("{why}, and there is no terminal at which the code could be pasted");
            return Err(Failure::new(FailureReason::OwnBrowserUnavailable, words));
        }
        // Vega does not see the press. The first sign-in of a session most likely takes one, the others do not.
        if !self.counted {
            request.otp_permit.before_press().await?;
            self.counted = true;
        }
        let limit = self.shared.settings.human_timeout;
        let deadline = Instant::now() + limit;
        let url = authorize_url(&self.shared.settings.authorize_base, request.api, request.state);
        let link = SignInLink {
            account: request.account.id.clone(),
            api: request.api.name.clone(),
            link: AuthorizeLink::new(url),
            redirect_uri: request.api.redirect_uri.clone(),
            way_back,
            deadline: self.shared.clock.now() + TimeDelta::from_std(limit).unwrap_or_default(),
        };
        request.presenter.show_link(&link).await;
        let can_see = request.presenter.can_see_links();
        let wait = Wait {
            shared: &self.shared,
            news: &self.news,
            link: &link,
            deadline,
            request,
        };
        tokio::select! {
            code = wait.for_code() => code,
            failure = self.open(&link, can_see) => Err(failure),
            () = sleep_until(deadline) => {
                let words = format!("no code came back within {} s", limit.as_secs());
                Err(Failure::new(FailureReason::RedirectTimeout, words))
            }
        }
    }

    async fn close(self: Box<Self>) {
        self.listener.close().await;
    }
}

impl AccountSession {
    /// Listens at the redirect URI, if that is possible.
    async fn way_back(&mut self, uri: &RedirectUri) -> WayBack {
        let listens = match self.listener.listen_at(uri).await {
            Err(taken) => {
                let (server, proof) = (&self.shared.settings.server, self.shared.proof.as_ref());
                server_check::takes_codes_at(uri, server, proof, taken).await
            }
            Ok(()) => Ok(()),
        };
        match listens {
            Ok(()) => WayBack::Callback,
            Err(why) => WayBack::PasteOnly { why },
        }
    }

    /// Opens the link in the system's browser, if the settings say so, and lets it in until this is dropped. Ends only when
    /// the link has reached nobody.
    async fn open(&self, link: &SignInLink, can_see: bool) -> Failure {
        let settings = &self.shared.settings;
        if !settings.open_links {
            return std::future::pending().await;
        }
        // It is there until the sign-in ends: the browser reads it when it likes.
        let file = RedirectFile::to(&link.link, &settings.environment);
        let opening = match &file {
            Ok(file) => file.open(&settings.environment).await,
            Err(error) => {
                tracing::warn!(%error, "the file that leads a browser to the link could not be made");
                Opening::NoBrowser
            }
        };
        let (notice, why) = match opening {
            Opening::Done => return std::future::pending().await,
            Opening::NoBrowser => (Notice::LinkNotOpened, "no browser could be started from here"),
            Opening::Confined => (
                Notice::BrowserConfined,
                "the browser of this desktop is a snap, which may not read the file that would lead it to the link",
            ),
        };
        if !can_see {
            let words = format!("{why}, and there is no terminal to show the link on");
            return Failure::new(FailureReason::OwnBrowserUnavailable, words);
        }
        let api = link.api.clone();
        self.shared.events.emit(Event::Noticed { api, notice });
        std::future::pending().await
    }
}

/// The wait for one code.
struct Wait<'s, 'a> {
    shared: &'s Shared,
    news: &'s News,
    link: &'s SignInLink,
    deadline: Instant,
    request: SignInRequest<'a>,
}

impl Wait<'_, '_> {
    async fn for_code(&self) -> Result<AuthorizationCode, Failure> {
        tokio::select! {
            code = self.delivered(self.request.state) => code,
            failure = self.pasted_addresses() => Err(failure),
            failure = self.for_lost_codes() => Err(failure),
            () = self.for_refusals() => unreachable!("refusals have no end"),
        }
    }

    async fn delivered(&self, state: &OAuthState) -> Result<AuthorizationCode, Failure> {
        loop {
            if let Some(code) = self.shared.codes.delivered_code(state).await? {
                return Ok(code);
            }
            tokio::select! {
                () = self.news.taken.notified() => {}
                () = sleep(ASK_EVERY) => {}
            }
        }
    }

    /// Takes pasted addresses until one fits; it goes the same way as one that a browser brings.
    async fn pasted_addresses(&self) -> Failure {
        loop {
            let pasted = self.ask().await;
            match self.pasted(&pasted).await {
                Ok(Some(notice)) => self.tell(notice),
                Ok(None) => {
                    self.news.taken.notify_one();
                    // It is on record; nothing more is asked for.
                    return std::future::pending().await;
                }
                Err(failure) => return failure,
            }
        }
    }

    async fn ask(&self) -> RedirectAddress {
        let time_left = self.deadline.saturating_duration_since(Instant::now());
        self.request.prompter.ask_address(self.link, time_left).await
    }

    /// What is wrong with a pasted address, if anything is.
    async fn pasted(&self, pasted: &RedirectAddress) -> Result<Option<Notice>, Failure> {
        let Some(url) = pasted.find(self.request.api, self.request.state) else {
            return Ok(Some(Notice::NotTheRedirect));
        };
        let ours = matches!(
            Redirect::read(&url, self.request.api, self.request.state),
            Redirect::Code(_)
        );
        Ok(match self.shared.receiver.receive(&url).await? {
            Received::Taken(_) | Received::CameBefore(_) if ours => None,
            Received::Incomplete => Some(Notice::NotTheRedirect),
            // The address of a sign-in before this one came before, too.
            _ => Some(Notice::ForeignRedirect),
        })
    }

    /// Another code does not come, so there is nothing to wait for.
    async fn for_lost_codes(&self) -> Failure {
        let mut lost = self.news.lost.subscribe();
        loop {
            let failure = lost.borrow_and_update().clone();
            if let Some(failure) = failure {
                return failure;
            }
            if lost.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    async fn for_refusals(&self) {
        self.news.refused.notified().await;
        // Told once: a page that reloads itself would tell for ever.
        self.tell(Notice::ForeignRedirect);
        std::future::pending::<()>().await;
    }

    fn tell(&self, notice: Notice) {
        let api = self.link.api.clone();
        self.shared.events.emit(Event::Noticed { api, notice });
    }
}
