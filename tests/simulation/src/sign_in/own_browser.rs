//! Signing in in a browser of the operator's own: the code comes back to Vega's listener, goes on record, and the
//! sign-in that waits for it finds it there. What the human does on the way is not seen; only whether a code comes.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{Clock, CodeDelivery, SignInRequest, SignInSession};
use vega_domain::secret::AuthorizationCode;

use super::session::{Session, fails};
use crate::fault_state::Reach;

const LOOK_EVERY: Duration = Duration::from_millis(500);
const DEADLINE: Duration = Duration::from_mins(5);

pub(super) struct OwnBrowserSession {
    session: Session,
    codes: Arc<dyn CodeDelivery>,
    is_signed_in: bool,
}

impl OwnBrowserSession {
    pub(super) fn new(session: Session, codes: Arc<dyn CodeDelivery>) -> Self {
        Self {
            session,
            codes,
            is_signed_in: false,
        }
    }

    async fn link(&self, request: &SignInRequest<'_>) -> Result<AuthorizationCode, Failure> {
        let session = &self.session;
        session.here.point().await;
        if !self.is_signed_in {
            request.otp_permit.before_press().await?;
            session
                .here
                .check_press(&session.account, request.api, request.state);
        }
        let mut arrives = pin!(self.arrive(request));
        let mut found = pin!(self.find(request));
        tokio::select! {
            biased;
            found = &mut found => return found,
            () = &mut arrives => {}
        }
        found.await
    }

    /// The human's browser comes to the redirect, or never.
    async fn arrive(&self, request: &SignInRequest<'_>) {
        let session = &self.session;
        let here = &session.here;
        let (world, faults) = (&here.world, here.world.faults());
        here.rest(world.rng.seconds(4..=20)).await;
        let is_lost = world.rng.permille(faults.slips + faults.storm / 2);
        if !faults.human_is_there || faults.reach != Reach::Works || is_lost {
            return;
        }
        if !self.is_signed_in && !session.request_otp("the human in a browser of their own") {
            return;
        }
        here.rest(world.rng.seconds(5..=300)).await;
        let code = session.issue_code(request);
        let at = here.process.clock.now();
        match self.codes.deliver_code(request.state, &code, at).await {
            Ok(_) => {}
            Err(error) => here.tell(&format!("a redirect is not taken: {error}")),
        }
    }

    async fn find(&self, request: &SignInRequest<'_>) -> Result<AuthorizationCode, Failure> {
        let here = &self.session.here;
        let mut looks = DEADLINE.as_millis() / LOOK_EVERY.as_millis();
        while looks > 0 {
            if let Ok(Some(code)) = self.codes.delivered_code(request.state).await {
                return Ok(code);
            }
            here.rest(LOOK_EVERY).await;
            looks -= 1;
        }
        fails(FailureReason::RedirectTimeout)
    }
}

#[async_trait]
impl SignInSession for OwnBrowserSession {
    async fn sign_in<'a>(&mut self, request: SignInRequest<'a>) -> Result<AuthorizationCode, Failure> {
        // The program may have slept, and died.
        self.session.here.stay().await;
        self.session.here.check_sign_in(request.account, request.api);
        let ended = self.link(&request).await;
        self.is_signed_in |= ended.is_ok();
        self.session.told(&request, ended)
    }

    async fn close(self: Box<Self>) {
        self.session.here.point().await;
        self.session.is_over();
    }
}
