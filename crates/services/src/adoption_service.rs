//! Takes a token that the operator copied from Upstox's own pages: a day's token of an API, or an account's analytics token. It is asked
//! about before it is stored, and refused with its cause where it does not belong. Nothing is sent but that question, so whoever is
//! refused may simply try again.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;
use tokio::time::sleep;
use vega_domain::account::{Account, Api};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::event::Event;
use vega_domain::expiry::{self, in_ist};
use vega_domain::failure::Failure;
use vega_domain::ids::{AccountId, ApiName, ClientId, Generation, UserId};
use vega_domain::ports::{
    Clock, EventSink, LastPriceAnswer, LastPriceApi, ProfileAnswer, ProfileApi, StoreError, TokenAdoption,
    UpstoxTokenRepository,
};
use vega_domain::secret::AccessToken;
use vega_domain::token::{CheckResult, LastCheck, StoredToken, TokenClaims};
use vega_domain::token_kind::{ANALYTICS_LIFE, TokenKind};

use crate::hot_token_registry::HotTokenRegistry;
use crate::profile_retry;

/// Between the two calls that call an analytics token dead.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What adopting a token needs.
pub struct AdoptionPorts {
    /// What is stored.
    pub tokens: Arc<dyn UpstoxTokenRepository>,
    /// Where it goes.
    pub adoption: Arc<dyn TokenAdoption>,
    /// Whose a day's token is.
    pub profiles: Arc<dyn ProfileApi>,
    /// Whether an analytics token is good: the profile is not open to it from everywhere.
    pub prices: Arc<dyn LastPriceApi>,
    /// Where readers of this process look.
    pub registry: Arc<HotTokenRegistry>,
    /// Who wants to know.
    pub events: Arc<dyn EventSink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Adopts tokens.
pub struct AdoptionService(AdoptionPorts);

/// A token that the operator gave, with what it says of itself.
#[derive(Debug, Clone)]
pub struct GivenToken {
    /// The token.
    pub token: AccessToken,
    /// What it says.
    pub claims: TokenClaims,
}

/// A token that programs get now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Which one of its API or account it is.
    pub generation: Generation,
    /// When it ends.
    pub valid_until: DateTime<Utc>,
    /// Whether Vega had it before; then nothing was stored.
    pub was_there: bool,
}

/// Why a token was not adopted. Nothing was stored.
#[derive(Debug, Error)]
pub enum AdoptionError {
    /// It lives too long for a day's token.
    #[error(
        "this token lives until {} IST, and a day's token of an app dies at 03:30 IST: it only reads. `vega adopt --analytics {account}` takes \
         an account's analytics token",
        in_ist(*ends_at).format("%d %b %Y %H:%M")
    )]
    OnlyReads {
        /// When it ends.
        ends_at: DateTime<Utc>,
        /// The account of the API.
        account: AccountId,
    },
    /// It dies too soon for an analytics token.
    #[error(
        "this token dies at {} IST, and an analytics token lives for a year: it is the day's token of an app. `vega adopt API` takes it",
        in_ist(*ends_at).format("%d %b %H:%M")
    )]
    OfTheDay {
        /// When it ends.
        ends_at: DateTime<Utc>,
    },
    /// It dies too soon to tell which of the two it is.
    #[error(
        "this token dies at {} IST: it is the day's token of an app, which `vega adopt API` takes, or an analytics token at its end. Make \
         a new one of those",
        in_ist(*ends_at).format("%d %b %H:%M")
    )]
    OfTheDayOrEnding {
        /// When it ends.
        ends_at: DateTime<Utc>,
    },
    /// Its time is over.
    #[error("this token died at {} IST. Copy a new one", in_ist(*ends_at).format("%d %b %Y %H:%M"))]
    Over {
        /// When it ended.
        ends_at: DateTime<Utc>,
    },
    /// Upstox refuses it.
    #[error("Upstox calls this token dead. Copy a new one; another one that was made since ends this one")]
    Dead,
    /// It was taken back here.
    #[error("this token is generation {0}, which you revoked: no program gets it any more. Copy a new one")]
    Revoked(Generation),
    /// It is there under another name.
    #[error("this is the token of {0}, which Vega has already. Copy the one that is meant")]
    OfAnother(String),
    /// It is somebody else's.
    #[error(
        "this token belongs to {found}, and {of} to {expected}. If that is another person's now, set its user id"
    )]
    Strangers {
        /// What it is for.
        of: String,
        /// Whose that is.
        expected: UserId,
        /// Whose the token is.
        found: UserId,
    },
    /// Nobody can say whose it is.
    #[error(
        "nobody can say whose account {0} is, so nobody can say whether this token belongs there. Set the account's user id, as Upstox \
         shows it, such as AB1234, or sign in once"
    )]
    Nobodys(AccountId),
    /// Upstox did not say whether it is good.
    #[error("Upstox did not say whether this token is good ({0}), so it was not taken. Try again")]
    Unknown(Failure),
    /// The database failed, or took another token meanwhile.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What one kind of token is stored as.
struct Place<'a> {
    account: &'a Account,
    api: ApiName,
    client_id: ClientId,
    /// In messages.
    called: String,
}

impl AdoptionService {
    /// Over these ports.
    pub fn new(ports: AdoptionPorts) -> Self {
        Self(ports)
    }

    /// Takes a day's token of this API. Upstox is asked whose it is; one that Upstox may not know everywhere yet is asked about for up
    /// to 20 s.
    ///
    /// # Errors
    /// It is no day's token of this person that lives, Upstox did not say so, or the database failed.
    pub async fn adopt(
        &self,
        account: &Account,
        api: &Api,
        given: GivenToken,
    ) -> Result<Adopted, AdoptionError> {
        let now = self.0.clock.now();
        if let Some(ends_at) = given.claims.ends_at {
            refuse_over(ends_at, now)?;
            if given.claims.outlives_a_day() == Some(true) || ends_at > expiry::valid_until(now) {
                let account = account.id.clone();
                return Err(AdoptionError::OnlyReads { ends_at, account });
            }
        }
        let place = Place {
            account,
            api: api.name.clone(),
            client_id: api.client_id.clone(),
            called: format!("account {}", account.id),
        };
        if let Some(there) = self.as_it_is_there(&place, &given.token, now).await? {
            return Ok(there);
        }
        let valid_until = expiry::valid_until_with_exp(now, given.claims.ends_at);
        let expected = self.owner(account).await?;
        // Whose it is, its profile says.
        let user_id = UserId::not_known();
        let mut token = self
            .unproven(&place, given.token, user_id, valid_until, now)
            .await?;
        match profile_retry::ask(&*self.0.profiles, &*self.0.clock, &token).await {
            ProfileAnswer::Valid(user) => token.user_id = user,
            ProfileAnswer::Invalid => return Err(AdoptionError::Dead),
            ProfileAnswer::Unknown(failure) => return Err(AdoptionError::Unknown(failure)),
        }
        refuse_stranger(&place, expected.as_ref(), &token.user_id)?;
        let how = format!("profile of {}", token.user_id);
        self.store(&place, token, &how).await
    }

    /// Takes the analytics token of this account. Upstox is asked for a price with it.
    ///
    /// # Errors
    /// It is no analytics token of this person that lives, Upstox did not say so, or the database failed.
    pub async fn adopt_analytics(
        &self,
        account: &Account,
        given: GivenToken,
    ) -> Result<Adopted, AdoptionError> {
        let now = self.0.clock.now();
        if let Some(ends_at) = given.claims.ends_at {
            refuse_over(ends_at, now)?;
            let is_over_by_0330 = ends_at <= expiry::valid_until(now);
            match given.claims.outlives_a_day() {
                Some(false) => return Err(AdoptionError::OfTheDay { ends_at }),
                None if is_over_by_0330 => return Err(AdoptionError::OfTheDayOrEnding { ends_at }),
                Some(true) | None => {}
            }
        }
        let place = Place {
            account,
            api: ApiName::of_analytics(&account.id),
            client_id: ClientId::of_no_app(),
            called: format!("account {}", account.id),
        };
        if let Some(there) = self.as_it_is_there(&place, &given.token, now).await? {
            return Ok(there);
        }
        // No call that it opens says whose it is, and what it says of itself is no proof.
        let owner = self.owner(account).await?;
        let owner = owner.ok_or_else(|| AdoptionError::Nobodys(account.id.clone()))?;
        if let Some(found) = &given.claims.user_id {
            refuse_stranger(&place, Some(&owner), found)?;
        }
        let valid_until = given.claims.ends_at.unwrap_or(now + ANALYTICS_LIFE);
        let token = self
            .unproven(&place, given.token, owner, valid_until, now)
            .await?;
        self.ask_for_a_price(&token.access_token).await?;
        self.store(&place, token, "a price was given for it").await
    }

    async fn ask_for_a_price(&self, token: &AccessToken) -> Result<(), AdoptionError> {
        let mut answer = self.0.prices.last_price(token).await;
        if answer == LastPriceAnswer::TokenDead {
            // It may be new, and one refusal may be a mistake.
            sleep(ASK_AGAIN).await;
            answer = self.0.prices.last_price(token).await;
        }
        match answer {
            LastPriceAnswer::Given => Ok(()),
            LastPriceAnswer::TokenDead => Err(AdoptionError::Dead),
            LastPriceAnswer::Unknown(failure) => Err(AdoptionError::Unknown(failure)),
        }
    }

    /// What is there, if it is this token.
    async fn as_it_is_there(
        &self,
        place: &Place<'_>,
        given: &AccessToken,
        now: DateTime<Utc>,
    ) -> Result<Option<Adopted>, AdoptionError> {
        let stored = self.0.tokens.load_all().await?.into_iter().flatten();
        let mut same = stored.filter(|token| token.access_token.expose() == given.expose());
        let Some(token) = same.next() else {
            return Ok(None);
        };
        if token.is_revoked() {
            return Err(AdoptionError::Revoked(token.generation));
        }
        if token.api != place.api {
            let called = match token.kind() {
                TokenKind::Trade => token.api.to_string(),
                TokenKind::Read => format!("account {} that only reads", token.account),
            };
            return Err(AdoptionError::OfAnother(called));
        }
        // For whom it was taken may have been corrected since: then it is asked about again.
        let user_id = place.account.user_id.as_ref();
        let fits = token.client_id == place.client_id && user_id.is_none_or(|user| *user == token.user_id);
        Ok((fits && token.is_servable(now)).then_some(Adopted {
            generation: token.generation,
            valid_until: token.valid_until,
            was_there: true,
        }))
    }

    /// Whose the account is: as configured, or as its first verified token said.
    async fn owner(&self, account: &Account) -> Result<Option<UserId>, StoreError> {
        match &account.user_id {
            Some(user) => Ok(Some(user.clone())),
            None => self.0.tokens.owner(&account.id).await,
        }
    }

    async fn unproven(
        &self,
        place: &Place<'_>,
        access_token: AccessToken,
        user_id: UserId,
        valid_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<StoredToken, StoreError> {
        let newest = self.0.tokens.newest_generation(&place.api).await?;
        Ok(StoredToken {
            api: place.api.clone(),
            account: place.account.id.clone(),
            client_id: place.client_id.clone(),
            user_id,
            generation: Generation::after(newest),
            access_token,
            issued_at: now,
            valid_until,
            verified_at: None,
            rejected_at: None,
            last_check: None,
        })
    }

    /// One commit, then the readers.
    async fn store(
        &self,
        place: &Place<'_>,
        mut token: StoredToken,
        how: &str,
    ) -> Result<Adopted, AdoptionError> {
        let at = self.0.clock.now();
        token.apply(LastCheck {
            at,
            result: CheckResult::Valid,
        });
        let words = format!(
            "generation {}, adopted from the operator: {how}",
            token.generation
        );
        let audit = AuditEntry::new(at, AuditKind::TokenStored, words).about(&place.account.id, &place.api);
        self.0.adoption.adopt(&token, &audit).await?;
        self.0.registry.publish(&token);
        self.0.events.emit(Event::TokenPublished {
            api: token.api.clone(),
            generation: token.generation,
        });
        Ok(Adopted {
            generation: token.generation,
            valid_until: token.valid_until,
            was_there: false,
        })
    }
}

fn refuse_over(ends_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), AdoptionError> {
    if ends_at - now > TimeDelta::zero() {
        Ok(())
    } else {
        Err(AdoptionError::Over { ends_at })
    }
}

fn refuse_stranger(
    place: &Place<'_>,
    expected: Option<&UserId>,
    found: &UserId,
) -> Result<(), AdoptionError> {
    match expected {
        Some(expected) if expected != found => Err(AdoptionError::Strangers {
            of: place.called.clone(),
            expected: expected.clone(),
            found: found.clone(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
