//! Port: authorization codes on their way from whoever receives a redirect to the sign-in that waits, in whichever process.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::ids::ApiName;
use crate::secret::{AuthorizationCode, OAuthState};

/// What became of a code that a redirect brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It is sealed, and the sign-in that waits for it finds it.
    Taken(ApiName),
    /// The sign-in has its code: the same redirect came twice, or another one came first.
    CameBefore(ApiName),
    /// The sign-in ended without it.
    TooLate(ApiName),
    /// No sign-in sent this `state`.
    Unknown,
}

/// Codes that came back and were not sent yet.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait CodeDelivery: Send + Sync {
    /// Seals a code that came back with `state`, for the process that waits for it, whichever it is. MUST take the
    /// first code of an open attempt and no other (`the_first_code_of_a_state_is_taken_and_no_other`,
    /// `a_code_for_a_sign_in_that_ended_comes_too_late`).
    async fn deliver_code(
        &self,
        state: &OAuthState,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
    ) -> Result<Delivery, StoreError>;

    /// The code that was delivered for `state`, while its exchange is not intended yet.
    async fn delivered_code(&self, state: &OAuthState) -> Result<Option<AuthorizationCode>, StoreError>;
}
