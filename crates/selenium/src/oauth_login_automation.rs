//! Drives sign-ins: opens the dialog, looks at the page again and again, carries out the flow's actions, and recognises
//! the redirect. All APIs of one account go through the same session.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use fantoccini::error::CmdError;
use tokio::time::{Instant, sleep};
use vega_domain::account::Account;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::authorize::{Redirect, authorize_url};
use vega_domain::event::Event;
use vega_domain::failure::Failure;
use vega_domain::ports::{AuditTrail, Clock, EventSink, SignIn, SignInRequest, SignInSession};
use vega_domain::secret::{AuthorizationCode, SecondFactor};
use vega_domain::sign_in::{Notice, Prompt, PromptKind, Screen, WindowTask};

use crate::command::{Trouble, command, silent_dialog};
use crate::dialog_answer::Home;
use crate::evidence::{self, FailedSignIn, Timeline};
use crate::flow::{Action, Flow, Rules};
use crate::login_page::LoginPage;
use crate::page_snapshot::PageSnapshot;
use crate::redirect_kept::as_registered;
use crate::session::BrowserSession;
use crate::settings::BrowserSettings;
use crate::tabs::{Tab, Tabs};

/// How long at most the page is not looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(150);
/// How long at least, however busy the page is.
const REST: Duration = Duration::from_millis(15);
/// After this time of failing looks without a success the page is considered gone for good.
const BLIND_LIMIT: Duration = Duration::from_secs(30);

/// The browser route of signing in.
pub struct OAuthLoginAutomation {
    settings: Arc<BrowserSettings>,
    audit: Arc<dyn AuditTrail>,
    events: Arc<dyn EventSink>,
    clock: Arc<dyn Clock>,
}

impl OAuthLoginAutomation {
    /// With these settings. Refused redirects are recorded in `audit`, and each screen is reported to `events`.
    pub fn new(
        settings: BrowserSettings,
        audit: Arc<dyn AuditTrail>,
        events: Arc<dyn EventSink>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            settings: Arc::new(settings),
            audit,
            events,
            clock,
        }
    }
}

#[async_trait]
impl SignIn for OAuthLoginAutomation {
    async fn open(&self, account: &Account) -> Result<Box<dyn SignInSession>, Failure> {
        tracing::debug!(account = %account.id, "opening a browser session");
        Ok(Box::new(AccountSession {
            browser: BrowserSession::open(&self.settings, account).await?,
            settings: Arc::clone(&self.settings),
            audit: Arc::clone(&self.audit),
            events: Arc::clone(&self.events),
            clock: Arc::clone(&self.clock),
            failed: None,
            refused: Mutex::default(),
        }))
    }
}

struct AccountSession {
    browser: BrowserSession,
    settings: Arc<BrowserSettings>,
    audit: Arc<dyn AuditTrail>,
    events: Arc<dyn EventSink>,
    clock: Arc<dyn Clock>,
    /// The last sign-in, if it failed and its evidence is not kept yet.
    failed: Option<FailedSignIn>,
    /// What the page refused, and the human may still correct.
    refused: Mutex<Option<Failure>>,
}

#[async_trait]
impl SignInSession for AccountSession {
    async fn sign_in<'a>(&mut self, request: SignInRequest<'a>) -> Result<AuthorizationCode, Failure> {
        self.failed = None;
        self.note_refused(None);
        let began = Instant::now();
        let mut timeline = Timeline::begin(began);
        let outcome = self.attempt(request, &mut timeline).await;
        if let Err(failure) = &outcome {
            self.failed = Some(FailedSignIn {
                account: request.account.id.clone(),
                mobile: request.account.mobile_number.clone(),
                api: request.api.name.clone(),
                redirect_uri: request.api.redirect_uri.clone(),
                failure: failure.clone(),
                timeline,
                after: began.elapsed(),
                at: self.clock.now(),
            });
        }
        outcome
    }

    fn refused(&self) -> Option<Failure> {
        let refused = self.refused.lock();
        refused.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn keep_evidence(&mut self) {
        if let Some(failed) = self.failed.take() {
            evidence::keep(&self.settings.evidence, self.browser.client(), &failed).await;
        }
    }

    async fn close(self: Box<Self>) {
        self.browser.close().await;
    }
}

impl AccountSession {
    fn note_refused(&self, failure: Option<Failure>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    async fn attempt(
        &self,
        request: SignInRequest<'_>,
        timeline: &mut Timeline,
    ) -> Result<AuthorizationCode, Failure> {
        let url = authorize_url(&self.settings.authorize_base, request.api, request.state);
        self.browser.go_to(&url).await?;
        let rules = Rules {
            human_timeout: self.settings.human_timeout,
            window: !self.settings.headless,
            home: Home::of(&self.settings.authorize_base),
        };
        let mut attempt = Attempt {
            flow: Flow::new(rules, Instant::now()),
            tabs: Tabs::default(),
            page: LoginPage::new(self.browser.client()),
            session: self,
            request,
            prompt: None,
            task: None,
            blind_since: None,
            refused_one: false,
            timeline,
        };
        loop {
            let looked = attempt.look_and_act().await;
            if let Some(code) = looked.map_err(|failure| attempt.flow.gravest(failure))? {
                self.browser.show_done(&request.api.name).await;
                return Ok(code);
            }
        }
    }
}

/// An open prompt. Dropping it withdraws the question.
struct OpenPrompt<'a> {
    kind: PromptKind,
    answer: Pin<Box<dyn Future<Output = SecondFactor> + Send + 'a>>,
}

/// A task that is shown to the human for the window. Dropping it removes it.
struct ShownTask<'a> {
    notice: Notice,
    shown: Pin<Box<dyn Future<Output = Infallible> + Send + 'a>>,
}

struct Attempt<'s, 'a> {
    flow: Flow,
    tabs: Tabs,
    page: LoginPage<'s>,
    session: &'s AccountSession,
    request: SignInRequest<'a>,
    prompt: Option<OpenPrompt<'a>>,
    task: Option<ShownTask<'a>>,
    blind_since: Option<Instant>,
    /// A redirect that is not ours was recorded.
    refused_one: bool,
    timeline: &'s mut Timeline,
}

impl Attempt<'_, '_> {
    /// One turn: recognises the screen, acts, and then waits for the page or for an answer of the operator.
    async fn look_and_act(&mut self) -> Result<Option<AuthorizationCode>, Failure> {
        let before = self.flow.screen();
        let tabs = self.tabs.open(self.session.browser.client()).await;
        let tabs = self.or_blind(tabs)?.unwrap_or_default();
        for tab in &tabs {
            if let Redirect::Code(code) = self.redirect_in(tab) {
                // There the window then says that the sign-in is done. The code counts whether it can or not.
                let _ = self.tabs.stay_at(self.session.browser.client(), tab).await;
                return Ok(Some(code));
            }
        }
        let is_foreign = |tab: &&Tab| matches!(self.redirect_in(tab), Redirect::Foreign);
        let (foreign, others): (Vec<_>, Vec<_>) = tabs.iter().partition(is_foreign);
        let others: Vec<_> = others.into_iter().cloned().collect();
        if !foreign.is_empty() {
            self.note_refusal().await?;
        }
        let (mut was_seen, mut next) = (false, Action::Wait);
        if !foreign.is_empty() && others.is_empty() {
            next = self.flow.foreign_redirect(Instant::now());
        } else if let Some(seen) = self.look(&others).await? {
            (was_seen, next) = (true, self.flow.next(&seen, Instant::now()));
        }
        self.session.note_refused(self.flow.refused().cloned());
        self.screen_changed(before, self.flow.screen());
        if self.flow.hands_off() {
            self.prompt = None;
        }
        self.carry_out(next).await?;
        self.show_task();
        self.wait(was_seen).await?;
        Ok(None)
    }

    fn redirect_in(&self, tab: &Tab) -> Redirect {
        let (api, state) = (self.request.api, self.request.state);
        Redirect::read(&as_registered(tab.address.clone(), &api.redirect_uri), api, state)
    }

    /// Records once that a redirect was refused: it stays in the window until the human goes on.
    async fn note_refusal(&mut self) -> Result<(), Failure> {
        if !std::mem::replace(&mut self.refused_one, true) {
            let why = "a redirect with a missing, wrong or old state arrived in the window";
            let entry = AuditEntry::new(self.session.clock.now(), AuditKind::RedirectRefused, why)
                .about(&self.request.account.id, &self.request.api.name);
            self.session.audit.append(&entry).await?;
        }
        Ok(())
    }

    async fn look(&mut self, tabs: &[Tab]) -> Result<Option<PageSnapshot>, Failure> {
        if tabs.is_empty() {
            return Ok(None);
        }
        let (browser, mobile) = (self.session.browser.client(), &self.request.account.mobile_number);
        let seen = self.tabs.look(browser, tabs, mobile, self.flow.home()).await;
        let seen = self.or_blind(seen)?;
        // Only a look ends the blindness: an address that still reads says nothing of the page.
        if seen.is_some() {
            self.blind_since = None;
        }
        Ok(seen)
    }

    /// Passing trouble is normal while pages change; it ends the attempt only if it lasts.
    fn or_blind<T>(&mut self, looked: Result<T, Trouble>) -> Result<Option<T>, Failure> {
        match looked {
            Ok(value) => Ok(Some(value)),
            Err(Trouble::Silent) if !self.flow.has_arrived() => Err(silent_dialog()),
            Err(trouble @ (Trouble::Gone(_) | Trouble::Silent)) => Err(trouble.into()),
            Err(trouble @ (Trouble::Passing(_) | Trouble::Said(_) | Trouble::Closed)) => {
                if let Trouble::Said(words) = &trouble {
                    self.flow.said(words);
                }
                let since = *self.blind_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= BLIND_LIMIT {
                    Err(trouble.into())
                } else {
                    Ok(None)
                }
            }
        }
    }

    /// Types or presses in the frame with the form.
    async fn act(&mut self, action: impl Future<Output = Result<(), CmdError>>) -> Result<(), Trouble> {
        self.tabs.act(self.session.browser.client(), action).await
    }

    fn screen_changed(&mut self, before: Screen, now: Screen) {
        if before != now {
            self.prompt = None;
            self.task = None;
            self.session.events.emit(Event::ScreenSeen {
                api: self.request.api.name.clone(),
                screen: now,
            });
            self.timeline.note(now, Instant::now());
        }
    }

    async fn carry_out(&mut self, next: Action) -> Result<(), Failure> {
        match next {
            Action::Wait => Ok(()),
            Action::FillMobile { selector } => {
                let (page, mobile) = (self.page, &self.request.account.mobile_number);
                let filled = self.act(page.fill_mobile(&selector, mobile)).await;
                self.or_blind(filled).map(drop)
            }
            Action::PressGetOtp { selector } => {
                self.request.otp_permit.before_press().await?;
                // The press is on record. Whatever the click says, it is never made again.
                self.flow.otp_pressed(Instant::now());
                let page = self.page;
                let pressed = self.act(page.press(&selector)).await;
                if self.or_blind(pressed)?.is_none() {
                    let instead = self.flow.otp_click_failed();
                    self.tell(&instead);
                } else {
                    let (account, api) = (self.request.account.id.clone(), self.request.api.name.clone());
                    self.session.events.emit(Event::OtpRequested { account, api });
                }
                Ok(())
            }
            Action::NotePress => self.request.otp_permit.pressed_in_the_window().await,
            Action::Offer(kind) => {
                self.offer(kind);
                Ok(())
            }
            Action::Submit { selector } => {
                let page = self.page;
                let pressed = self.act(page.press(&selector)).await;
                let instead = if self.or_blind(pressed)?.is_none() {
                    self.flow.could_not_act()
                } else {
                    self.flow.second_factor_submitted();
                    Action::Wait
                };
                self.tell(&instead);
                Ok(())
            }
            Action::Tell(_) => {
                self.tell(&next);
                Ok(())
            }
            Action::Fail(failure) => Err(failure),
        }
    }

    fn tell(&self, told: &Action) {
        if let Action::Tell(notice) = *told {
            self.session.events.emit(Event::Noticed {
                api: self.request.api.name.clone(),
                notice,
            });
        }
    }

    fn offer(&mut self, kind: PromptKind) {
        let (deadline, time_left) = self.limit();
        let prompt = Prompt {
            kind,
            account: self.request.account.id.clone(),
            api: self.request.api.name.clone(),
            deadline,
            time_left,
        };
        let prompter = self.request.prompter;
        let answer = Box::pin(async move { prompter.ask(&prompt).await });
        self.prompt = Some(OpenPrompt { kind, answer });
    }

    /// Shows what the human must do in the window now, and removes what is done.
    fn show_task(&mut self) {
        let wanted = self.flow.task();
        if wanted == self.task.as_ref().map(|task| task.notice) {
            return;
        }
        let (deadline, time_left) = self.limit();
        self.task = wanted.map(|notice| {
            let task = WindowTask {
                account: self.request.account.id.clone(),
                api: self.request.api.name.clone(),
                notice,
                deadline,
                time_left,
            };
            let presenter = self.request.presenter;
            let shown = Box::pin(async move {
                presenter.show(&task).await;
                pending().await
            });
            ShownTask { notice, shown }
        });
    }

    /// The time at which Vega stops waiting for the human at this screen, and how long that is from now.
    fn limit(&self) -> (DateTime<Utc>, Duration) {
        let left = self.flow.time_left(Instant::now());
        let deadline = self.session.clock.now() + TimeDelta::from_std(left).unwrap_or_default();
        (deadline, left)
    }

    /// Waits until the next look is due, or until the operator answered the prompt.
    async fn wait(&mut self, was_seen: bool) -> Result<(), Failure> {
        let page = self.page;
        let next_look = async move {
            if !was_seen {
                sleep(LOOK_EVERY).await;
                return Ok(());
            }
            let (changed, ()) = tokio::join!(command(page.change(LOOK_EVERY)), sleep(REST));
            changed
        };
        let kind = self.prompt.as_ref().map(|prompt| prompt.kind);
        let answered = async {
            match &mut self.prompt {
                Some(prompt) => (&mut prompt.answer).await,
                None => pending().await,
            }
        };
        let showing = async {
            match &mut self.task {
                Some(task) => (&mut task.shown).await,
                None => pending().await,
            }
        };
        let given = tokio::select! {
            given = answered => given,
            never = showing => match never {},
            changed = next_look => return self.or_blind(changed).map(drop),
        };
        self.prompt = None;
        match kind {
            Some(kind) => self.fill(kind, &given).await,
            None => Ok(()),
        }
    }

    /// Types an answer, if its screen still asks for it and the human has not begun to type in the window.
    async fn fill(&mut self, kind: PromptKind, given: &SecondFactor) -> Result<(), Failure> {
        self.flow.prompt_closed();
        let tabs = self.tabs.open(self.session.browser.client()).await;
        let tabs = self.or_blind(tabs)?.unwrap_or_default();
        // The page is changing: whatever it asks for next is offered anew.
        let Some(seen) = self.look(&tabs).await? else {
            return Ok(());
        };
        if self.flow.heard(&seen) || seen.screen() != self.flow.screen() {
            return Ok(());
        }
        let field = match kind {
            PromptKind::Otp => seen.otp,
            PromptKind::Pin => seen.pin,
        };
        let Some(field) = field.filter(|field| field.empty) else {
            return Ok(());
        };
        // Remembered first: whatever the typing says, it is never done again.
        self.flow.second_factor_typed(kind);
        let page = self.page;
        let typed = self.act(page.fill_second_factor(&field.selector, given)).await;
        if self.or_blind(typed)?.is_none() {
            let instead = self.flow.could_not_act();
            self.tell(&instead);
        }
        Ok(())
    }
}
