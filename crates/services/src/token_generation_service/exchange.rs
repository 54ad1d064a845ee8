//! The code out, the answer in: announced before it is sent, sealed before it is read. Decides when a call is made again, and that
//! whoever lost the lease makes none; not what the answer means.

use std::time::Duration;

use chrono::{DateTime, Utc};
use vega_domain::account::Api;
use vega_domain::audit::AuditKind;
use vega_domain::clock_reading::ClockReading;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{ExchangeError, StoreError};
use vega_domain::secret::{AuthorizationCode, RawAnswer};

use super::attempt::Attempt;
use super::{PAUSES, TokenGenerationService};

/// So long it is known whose the sign-in is: a holder of whom nothing is heard counts as dead later than that.
const LEASE_IS_KNOWN: Duration = Duration::from_secs(4);

impl TokenGenerationService {
    /// `[tx3]`, the POST, `[tx4]`. Returns the answer unread and when it was asked for.
    pub(super) async fn exchange(
        &self,
        attempt: &Attempt<'_>,
        code: &AuthorizationCode,
    ) -> Result<(RawAnswer, DateTime<Utc>), Failure> {
        let asked = self.ports.clock.reading();
        let audit = attempt.audit(asked.at, AuditKind::ExchangeIntended, "");
        self.ports
            .attempts
            .seal_code(attempt.id, code, asked.at, &audit)
            .await?;
        let (answer, sent_at) = self.send(attempt.api, code, asked).await?;

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

    /// Sends the code once. Only a call of which no byte left is made again. `asked` is when the lease was asked for last.
    async fn send(
        &self,
        api: &Api,
        code: &AuthorizationCode,
        mut asked: ClockReading,
    ) -> Result<(RawAnswer, DateTime<Utc>), Failure> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let is_ours = self.refuse_taken_over(&mut asked).await;
            let sent_at = self.ports.clock.now();
            let sent = match is_ours {
                Ok(()) => self.ports.exchange.exchange(api, code).await,
                Err(taken_over @ StoreError::TakenOver(_)) => return Err(taken_over.into()),
                Err(error) => Err(ExchangeError::NotSent(error.into())),
            };
            match sent {
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

    /// Who stood still, or waited for a further try, may have been taken for dead: a call from here would end the token that another
    /// process made meanwhile. A write has its fence, a call has this.
    async fn refuse_taken_over(&self, asked: &mut ClockReading) -> Result<(), StoreError> {
        let now = self.ports.clock.reading();
        if asked.age(&now) < LEASE_IS_KNOWN {
            return Ok(());
        }
        match self.ports.lease.holder().await? {
            Some(holder) if holder.is_this_process => {
                *asked = now;
                Ok(())
            }
            holder => Err(StoreError::TakenOver(holder)),
        }
    }
}
