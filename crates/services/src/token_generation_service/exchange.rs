//! The code out, the answer in: announced before it is sent, sealed before it is read. Decides when a call is made again, and that
//! whoever is known to have lost the lease makes none; not what the answer means.

use chrono::{DateTime, Utc};
use vega_domain::account::Api;
use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{ExchangeError, StoreError};
use vega_domain::secret::{AuthorizationCode, RawAnswer};

use super::attempt::Attempt;
use super::{PAUSES, TokenGenerationService};

impl TokenGenerationService {
    /// `[tx3]`, the POST, `[tx4]`. Returns the answer unread and when it was asked for.
    pub(super) async fn exchange(
        &self,
        attempt: &Attempt<'_>,
        code: &AuthorizationCode,
    ) -> Result<(RawAnswer, DateTime<Utc>), Failure> {
        let now = self.ports.clock.now();
        let audit = attempt.audit(now, AuditKind::ExchangeIntended, "");
        self.ports
            .attempts
            .seal_code(attempt.id, code, now, &audit)
            .await?;
        let (answer, sent_at) = self.send(attempt.api, code).await?;

        let now = self.ports.clock.now();
        let audit = attempt.audit(now, AuditKind::AnswerReceived, format!("HTTP {}", answer.status));
        let sealed = self
            .ports
            .attempts
            .seal_answer(attempt.id, &answer, now, &audit)
            .await;
        match sealed {
            // Neither the database nor the spool took it: it is here alone, so what it brings is brought home at once.
            // Who was taken over makes nothing more of what is in the spool.
            Err(
                error @ (StoreError::Failed { .. } | StoreError::Unreadable(_) | StoreError::NotAccepted(_)),
            ) => {
                tracing::error!(api = %attempt.api.name, %error, "an answer is on record nowhere");
            }
            sealed => sealed?,
        }
        Ok((answer, sent_at))
    }

    /// Sends the code once. Only a call of which no byte left is made again.
    async fn send(&self, api: &Api, code: &AuthorizationCode) -> Result<(RawAnswer, DateTime<Utc>), Failure> {
        let mut pauses = PAUSES.into_iter();
        loop {
            self.refuse_taken_over(api).await?;
            let sent_at = self.ports.clock.now();
            match self.ports.exchange.exchange(api, code).await {
                Ok(answer) => return Ok((answer, sent_at)),
                Err(ExchangeError::OutcomeUnknown(words)) => {
                    return Err(Failure::new(FailureReason::OutcomeUnknown, words));
                }
                Err(ExchangeError::NotSent(failure)) => match pauses.next() {
                    Some(pause) => {
                        tracing::warn!(%failure, "the token call could not be sent; trying again");
                        tokio::time::sleep(pause).await;
                    }
                    None => return Err(failure),
                },
            }
        }
    }

    /// Who stood still after the code was sealed, or waited for a further try, may have been taken for dead: a call would end the token
    /// that another process made meanwhile.
    async fn refuse_taken_over(&self, api: &Api) -> Result<(), StoreError> {
        match self.ports.lease.refuse_taken_over().await {
            Err(taken_over @ StoreError::TakenOver(_)) => Err(taken_over),
            // A database that is away gives the lease to nobody, and the human has done their part. Where this machine alone is cut off
            // from it, the call may come late.
            Err(error) => {
                tracing::warn!(api = %api.name, %error, "whether another one took the sign-in over is not known; the code is sent");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}
