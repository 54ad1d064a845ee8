//! What a new token is worth: whose it is, and what Upstox says when it is asked about it.

use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{ProfileAnswer, TokenAnswer};
use vega_domain::token::{CheckResult, LastCheck, StoredToken};

use super::TokenGenerationService;
use super::attempt::Attempt;
use crate::profile_retry;

impl TokenGenerationService {
    /// A token of another person than the account's is logged out and never kept. Whose the account is, is configured,
    /// or learned from its first verified token.
    pub(super) async fn refuse_stranger(
        &self,
        attempt: &Attempt<'_>,
        answer: &TokenAnswer,
    ) -> Result<(), Failure> {
        let (expected, how) = match &attempt.account.user_id {
            Some(user) => (Some(user.clone()), "as configured"),
            None => (
                self.ports.tokens.owner(&attempt.account.id).await?,
                "as in its earlier tokens; if the account is another person's now, set its user id",
            ),
        };
        let Some(expected) = expected.filter(|user| *user != answer.user_id) else {
            return Ok(());
        };
        let words = format!("expected {expected}, {how}; Upstox says {}", answer.user_id);
        let stranger = Failure::new(FailureReason::WrongUser, words);
        let logged_out = match self.ports.logout.log_out(&answer.access_token).await {
            Ok(()) => "logged out".to_owned(),
            Err(failure) => format!("could not be logged out: {failure}"),
        };
        let words = format!("{stranger}; its token was {logged_out}");
        let audit = attempt.audit(self.ports.clock.now(), AuditKind::TokenLoggedOut, words);
        self.ports
            .audit
            .append_about(&audit, &answer.access_token)
            .await?;
        Err(stranger)
    }

    /// Asks Upstox about the new token, patiently, and notes the answer in it.
    pub(super) async fn verify(&self, token: &mut StoredToken) -> Result<(), Failure> {
        let answer = profile_retry::ask(&*self.ports.profiles, &*self.ports.clock, token).await;
        let at = self.ports.clock.now();
        let result = answer.check_for(token);
        token.apply(LastCheck { at, result });
        match answer {
            ProfileAnswer::Valid(_) if result == CheckResult::Valid => Ok(()),
            ProfileAnswer::Valid(user) => Err(Failure::new(
                FailureReason::Unverified,
                format!("its profile belongs to {user}"),
            )),
            ProfileAnswer::Invalid => Err(Failure::new(FailureReason::TokenRejected, "")),
            ProfileAnswer::Unknown(failure) => {
                Err(Failure::new(FailureReason::Unverified, failure.to_string()))
            }
        }
    }
}
