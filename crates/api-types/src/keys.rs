//! Access keys of programs; never a key itself.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vega_domain::access::AccessKey;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::ports::UnfitKey;

use crate::codes::KeyState;

/// Every access key, also expired and revoked ones.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct KeysView {
    pub v: u8,
    pub keys: Vec<KeyView>,
    /// Keys whose records are not what Vega wrote: they count for nothing, and come back with their records unless they are
    /// revoked.
    pub unfit: Vec<UnfitKeyView>,
}

impl KeysView {
    pub fn of(keys: &[AccessKey], unfit: &[UnfitKey], now: DateTime<Utc>) -> Self {
        Self {
            v: 1,
            keys: keys.iter().map(|key| KeyView::of(key, now)).collect(),
            unfit: unfit.iter().map(UnfitKeyView::from).collect(),
        }
    }
}

/// One access key.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct KeyView {
    pub id: String,
    pub name: String,
    pub state: KeyState,
    /// `status`, `token:API`, `runs`, `admin`.
    pub scopes: Vec<String>,
    pub created_at: String,
    pub created_at_unix: i64,
    pub expires_at: Option<String>,
    pub expires_at_unix: Option<i64>,
    pub last_used_at: Option<String>,
    pub last_used_at_unix: Option<i64>,
    pub revoked_at: Option<String>,
    pub revoked_at_unix: Option<i64>,
}

impl KeyView {
    fn of(key: &AccessKey, now: DateTime<Utc>) -> Self {
        let unix = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp());
        Self {
            id: key.id.to_string(),
            name: key.name.to_string(),
            state: key.state(now).into(),
            scopes: key.scopes.iter().map(ToString::to_string).collect(),
            created_at: rfc3339_ist(key.created_at),
            created_at_unix: key.created_at.timestamp(),
            expires_at: key.expires_at.map(rfc3339_ist),
            expires_at_unix: unix(key.expires_at),
            last_used_at: key.last_used_at.map(rfc3339_ist),
            last_used_at_unix: unix(key.last_used_at),
            revoked_at: key.revoked_at.map(rfc3339_ist),
            revoked_at_unix: unix(key.revoked_at),
        }
    }
}

/// An access key of which nobody can tell what it may do.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UnfitKeyView {
    pub id: String,
    /// What it is or was called, as far as that is known.
    pub names: Vec<String>,
}

impl From<&UnfitKey> for UnfitKeyView {
    fn from(key: &UnfitKey) -> Self {
        Self {
            id: key.id.to_string(),
            names: key.names.clone(),
        }
    }
}
