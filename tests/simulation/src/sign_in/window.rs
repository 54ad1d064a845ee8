//! Signing in in a window that Vega watches: what the pages show, and what the human and Vega do there.

use std::time::Duration;

use async_trait::async_trait;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{SignInRequest, SignInSession};
use vega_domain::secret::AuthorizationCode;

use super::session::{Does, Session, fails};
use crate::fault_state::Reach;
use crate::injected_defects::InjectedDefect;
use crate::upstox::AppTrouble;

pub(super) struct WindowSession {
    session: Session,
    /// Whether Upstox's pages know the person by now.
    is_signed_in: bool,
    /// Whether the last sign-in left something to keep.
    failed: bool,
}

impl WindowSession {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            is_signed_in: false,
            failed: false,
        }
    }

    async fn pages(&mut self, request: &SignInRequest<'_>) -> Result<AuthorizationCode, Failure> {
        let here = &self.session.here;
        let rng = &here.world.rng;
        here.point().await;
        here.rest(rng.millis(400..=3000)).await;
        self.first_page(request)?;
        if !self.is_signed_in {
            self.otp(request).await?;
        }
        // Within a session the PIN is asked for as often as Upstox likes.
        if !self.is_signed_in || rng.permille(400) {
            self.pin().await?;
        }
        self.is_signed_in = true;
        let code = self.session.issue_code(request);
        self.session.here.rest(Duration::from_millis(250)).await;
        self.session.here.point().await;
        Ok(code)
    }

    /// What can be wrong before anybody does anything.
    fn first_page(&self, request: &SignInRequest<'_>) -> Result<(), Failure> {
        let here = &self.session.here;
        let faults = here.world.faults();
        match faults.reach {
            Reach::Works => {}
            Reach::Down | Reach::Throttles => return fails(FailureReason::BrokerDown),
            Reach::NoNetwork => return fails(FailureReason::Network),
        }
        let (trouble, is_dormant) = {
            let mut books = here.world.upstox.books();
            let trouble = books.troubles.get(request.api.client_id.as_str()).copied();
            (trouble, books.login(self.session.digits()).is_dormant)
        };
        match trouble {
            Some(AppTrouble::Rejected) => return fails(FailureReason::ClientRejected),
            Some(AppTrouble::Inactive) => return fails(FailureReason::AppInactive),
            None => {}
        }
        if is_dormant {
            return fails(FailureReason::AccountDormant);
        }
        if here.world.rng.permille(faults.storm / 2) {
            let some = [
                FailureReason::Network,
                FailureReason::BrokerDown,
                FailureReason::Blocked,
                FailureReason::PageChanged,
                FailureReason::BrowserGone,
            ];
            return fails(*here.world.rng.pick(&some));
        }
        Ok(())
    }

    /// The mobile screen and the OTP screen.
    async fn otp(&self, request: &SignInRequest<'_>) -> Result<(), Failure> {
        let session = &self.session;
        let here = &session.here;
        let rng = &here.world.rng;
        let faults = here.world.faults();
        let is_sent = if faults.human_is_there && rng.permille(120) {
            let is_sent = session.request_otp("the human");
            request.otp_permit.pressed_in_the_window().await?;
            is_sent
        } else {
            self.vega_presses(request).await?
        };
        if !is_sent {
            here.rest(rng.seconds(1..=45)).await;
            return fails(FailureReason::Throttled);
        }
        if rng.permille(60) {
            self.mobile_screen_again(request).await?;
        }
        if rng.permille(faults.storm) && session.human().await != Does::Right {
            return fails(FailureReason::Challenge);
        }
        match session.human().await {
            Does::Nothing => fails(FailureReason::OtpTimeout),
            Does::CloseWindow => fails(FailureReason::BrowserGone),
            does => session.enter("the OTP", does == Does::Right, FailureReason::OtpRefused),
        }
    }

    /// The page asks for the number once more. Vega presses once only, so it is the human's turn.
    async fn mobile_screen_again(&self, request: &SignInRequest<'_>) -> Result<(), Failure> {
        match self.vega_presses(request).await {
            Err(failure) if !failure.reason.is_of_storage() => {}
            pressed => return pressed.map(drop),
        }
        if self.session.human().await != Does::Right {
            return fails(FailureReason::RedirectTimeout);
        }
        let is_sent = self.session.request_otp("the human");
        request.otp_permit.pressed_in_the_window().await?;
        if is_sent {
            Ok(())
        } else {
            fails(FailureReason::Throttled)
        }
    }

    /// Only with the permit.
    async fn vega_presses(&self, request: &SignInRequest<'_>) -> Result<bool, Failure> {
        let session = &self.session;
        let here = &session.here;
        request.otp_permit.before_press().await?;
        here.point().await;
        here.check_press(&session.account, request.api, request.state);
        let is_sent = session.request_otp("Vega");
        here.point().await;
        Ok(is_sent)
    }

    async fn pin(&self) -> Result<(), Failure> {
        let session = &self.session;
        let entered = match session.human().await {
            Does::Nothing => return fails(FailureReason::PinTimeout),
            Does::CloseWindow => return fails(FailureReason::BrowserGone),
            does => session.enter("the PIN", does == Does::Right, FailureReason::PinRefused),
        };
        match entered {
            Err(_) if session.here.is_injected(InjectedDefect::RetryPin) => {
                session.enter("the PIN", true, FailureReason::PinRefused)
            }
            entered => entered,
        }
    }
}

#[async_trait]
impl SignInSession for WindowSession {
    async fn sign_in<'a>(&mut self, request: SignInRequest<'a>) -> Result<AuthorizationCode, Failure> {
        // The program may have slept, and died.
        self.session.here.stay().await;
        self.session.here.check_sign_in(request.account, request.api);
        let ended = self.pages(&request).await;
        self.failed = ended.is_err();
        self.session.told(&request, ended)
    }

    async fn keep_evidence(&mut self) {
        if std::mem::take(&mut self.failed) {
            self.session.here.point().await;
            self.session.here.rest(Duration::from_secs(1)).await;
        }
    }

    async fn close(self: Box<Self>) {
        self.session.here.point().await;
        self.session.is_over();
    }
}
