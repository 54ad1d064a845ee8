//! Which audit entry changed each row last, kept in one place that is sealed together with the trail's last entry. A row that
//! fits in itself but is an earlier one, or is gone, does not fit here; and this place cannot be put back alone, for the
//! trail went on. Whether the whole database was put back is told by what this process and the heads file saw of the trail.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, SqliteConnection};
use vega_domain::ports::StoreError;
use vega_domain::token::{CheckResult, LastCheck, NewToken, StoredToken};

use crate::audit_heads::HeadsFile;
use crate::data_source::failed;
use crate::doubt::Doubt;
use crate::root_key::{KeyId, RootKey};
use crate::row_values::{RowValues, SealedTable};

/// Keeps this key apart from every other use of the root key.
const CONTEXT: &[u8] = b"vega latest changes 1";

/// Stands for all APIs; none has this name.
const EVERY_API: &str = "*";

/// Whose latest change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose<'a> {
    /// The newest token of an API.
    Token(&'a str),
    /// An access key.
    Key(uuid::Uuid),
    /// A console link that was not used.
    Link(&'a [u8]),
    /// A console session that was not ended.
    Session(uuid::Uuid),
    /// The cooldown or stop of a mobile number.
    Closed(&'a str),
    /// The newest press for a mobile number.
    Presses(&'a str),
    /// A sign-in that has not ended.
    Attempt(uuid::Uuid),
    /// The sign-in of an API that ended last.
    Ended(&'a str),
    /// The newest token of an API that was taken back for good: it and those before stay so, wherever a copy lies.
    Revoked(&'a str),
    /// A row that does not fit and is on record as such.
    Told(&'a str),
}

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(api) => write!(f, "token {api}"),
            Self::Key(id) => write!(f, "key {id}"),
            Self::Link(hash) => write!(f, "link {}", crate::audit_heads::hex(hash)),
            Self::Session(id) => write!(f, "session {id}"),
            Self::Closed(mobile) => write!(f, "closed {mobile}"),
            Self::Presses(mobile) => write!(f, "presses {mobile}"),
            Self::Attempt(id) => write!(f, "attempt {id}"),
            Self::Ended(api) => write!(f, "ended {api}"),
            Self::Revoked(api) => write!(f, "revoked {api}"),
            Self::Told(fault) => write!(f, "told {fault}"),
        }
    }
}

/// What is known of a row's latest change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The audit entry that changed it.
    pub(crate) entry: i64,
    /// Of a token its generation, of a press the how manyth it is; up to which generation an API's tokens are revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<i64>,
    /// Of a token when it dies, of a closed account and of revoked tokens since when they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<DateTime<Utc>>,
    /// Of a closed account its name and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) closed: Option<(String, String)>,
}

impl Mark {
    pub(crate) fn of(entry: i64) -> Self {
        Self {
            entry,
            number: None,
            time: None,
            closed: None,
        }
    }
}

/// The latest change of every row that can be put back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marks(BTreeMap<String, Mark>);

impl Marks {
    pub(crate) fn get(&self, whose: Whose<'_>) -> Option<&Mark> {
        self.0.get(&whose.to_string())
    }

    pub(crate) fn set(&mut self, whose: Whose<'_>, mark: Mark) {
        self.0.insert(whose.to_string(), mark);
    }

    /// Returns whether it was known.
    pub(crate) fn clear(&mut self, whose: Whose<'_>) -> bool {
        self.0.remove(&whose.to_string()).is_some()
    }

    /// An API's tokens are revoked up to this generation, if not further.
    pub(crate) fn revoke_up_to(&mut self, api: &str, generation: i64, entry: i64, at: DateTime<Utc>) {
        let known = self.get(Whose::Revoked(api)).and_then(|mark| mark.number);
        if known.is_none_or(|known| known < generation) {
            let mark = Mark {
                number: Some(generation),
                time: Some(at),
                ..Mark::of(entry)
            };
            self.set(Whose::Revoked(api), mark);
        }
    }

    /// Every token that was made before is revoked.
    pub(crate) fn revoke_all(&mut self, at: DateTime<Utc>) {
        let time = Some(at);
        self.set(Whose::Revoked(EVERY_API), Mark { time, ..Mark::of(0) });
    }

    /// Since when this token is known as revoked, if it is: wherever a copy of it lies. While its sign-in is open, by its API
    /// alone: whatever put all tokens out of force ended every sign-in that was open, so this one began after it, whatever the
    /// clock said then. That it is open the marks say, for its row may have been edited.
    pub(crate) fn revoked_since(&self, new: &NewToken) -> Option<DateTime<Utc>> {
        let token = &new.token;
        let generation = Some(i64::from(token.generation.get()));
        let of_api = self
            .get(Whose::Revoked(token.api.as_str()))
            .filter(|mark| generation <= mark.number);
        let is_open = self.get(Whose::Attempt(new.attempt.as_uuid())).is_some();
        let of_all = || {
            self.get(Whose::Revoked(EVERY_API))
                .filter(|mark| !is_open && Some(token.issued_at) <= mark.time)
        };
        of_api.or_else(of_all)?.time
    }

    /// What lies elsewhere, as it counts: an earlier copy of a token that is revoked, is revoked.
    pub(crate) fn as_revoked(&self, kept: NewToken) -> StoredToken {
        let revoked_since = self.revoked_since(&kept);
        let mut token = kept.token;
        if let Some(at) = revoked_since {
            let result = CheckResult::Revoked;
            token.apply(LastCheck { at, result });
        }
        token
    }

    /// All of them, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Mark)> {
        self.0.iter().map(|(name, mark)| (&**name, mark))
    }

    /// Those whose name begins like this, with the rest of it.
    pub(crate) fn all_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Mark)> {
        self.0
            .iter()
            .filter_map(move |(name, mark)| Some((name.strip_prefix(kind)?.strip_prefix(' ')?, mark)))
    }
}

/// What was seen of the trail; it must still be there.
#[derive(Debug, Clone, Default)]
struct Seen {
    entry: i64,
    value: Vec<u8>,
    /// How many times the operator accepted another trail, as the heads file told.
    accepted: usize,
}

/// Tells whether rows, and the database as a whole, are what Vega left.
pub(crate) struct RowTrust {
    pub(crate) values: RowValues,
    latest: Hmac<Sha256>,
    key: KeyId,
    heads: HeadsFile,
    seen: Mutex<Seen>,
    /// Why it cannot be told whether rows of before row values are what Vega left, where there are such.
    unsealed: Mutex<Option<String>>,
}

impl fmt::Debug for RowTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowTrust([redacted])")
    }
}

/// Where the database stands, as read within one snapshot.
#[derive(Debug, FromRow)]
struct Standing {
    key_id: Option<Vec<u8>>,
    chain_id: Option<Vec<u8>>,
    /// The trail's last entry.
    last: i64,
    chain: Option<Vec<u8>>,
    seen: Option<Vec<u8>>,
    entry: Option<i64>,
    marks: Option<String>,
    value: Option<Vec<u8>>,
}

const STANDING: &str =
    "SELECT (SELECT key_id FROM seal_key) AS key_id, (SELECT chain_id FROM audit_chain) AS chain_id,
         coalesce((SELECT max(id) FROM audit_events), 0) AS last,
         (SELECT chain FROM audit_events ORDER BY id DESC LIMIT 1) AS chain,
         (SELECT chain FROM audit_events WHERE id = $1) AS seen, latest.entry, latest.marks, latest.value
     FROM (SELECT 1) LEFT JOIN latest_changes AS latest ON latest.id = 1";

/// What a look found: the marks, or why they do not count; and where the trail ends.
pub(crate) struct Look {
    pub(crate) marks: Result<Marks, Doubt>,
    /// The marks, where they fit the trail that is there, whether or not it is the one that was seen.
    pub(crate) own: Option<Marks>,
    pub(crate) last: i64,
    pub(crate) chain: Vec<u8>,
}

/// What was seen before a snapshot began: that must be in it.
pub(crate) struct Before(Seen);

impl RowTrust {
    pub(crate) fn new(key: &RootKey, heads: HeadsFile) -> Self {
        Self {
            values: RowValues::new(key),
            latest: key.derive(CONTEXT),
            key: key.id,
            heads,
            seen: Mutex::default(),
            unsealed: Mutex::default(),
        }
    }

    /// To be called before a transaction begins that `look` looks into.
    pub(crate) fn before(&self) -> Before {
        Before(self.seen().clone())
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns what was kept of this trail outside the database.
    pub(crate) async fn learn(self: &Arc<Self>, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let chain_id = crate::audit_trail::chain_id(connection).await?;
        let kept = self.kept(chain_id).await;
        *self.seen() = kept;
        Ok(())
    }

    /// What the heads file says now. One that cannot be read says nothing, which is told and is no doubt.
    async fn kept(self: &Arc<Self>, chain_id: Vec<u8>) -> Seen {
        let heads = self.heads.clone();
        let newest = tokio::task::spawn_blocking(move || heads.newest(&chain_id)).await;
        match newest {
            Ok(Ok(newest)) => Seen {
                accepted: newest.accepted,
                entry: newest.head.as_ref().map_or(0, |head| head.entry),
                value: newest.head.map_or_else(Vec::new, |head| head.value.to_vec()),
            },
            Ok(Err(error)) => {
                tracing::warn!(%error, "whether the database is older than its checkpoint cannot be told");
                Seen::default()
            }
            Err(panicked) => {
                tracing::error!(%panicked, "the checkpoints could not be read");
                Seen::default()
            }
        }
    }

    /// Where the database stands. Fails where it belongs to another key by now.
    pub(crate) async fn look(
        self: &Arc<Self>,
        connection: &mut SqliteConnection,
        Before(seen): Before,
    ) -> Result<Look, StoreError> {
        let standing = standing(connection, seen.entry).await?;
        if standing.key_id.as_deref() != Some(&self.key.0[..]) {
            return Err(StoreError::Unreadable(
                "the key of the database was rotated while this program ran: start it again".into(),
            ));
        }
        let chain_id = standing.chain_id.clone().unwrap_or_default();
        let own = self.own(&standing);
        let mut marks = self.judge(&standing, &seen, own.clone());
        if matches!(marks, Err(Doubt::Older { .. } | Doubt::Another { .. })) {
            // The operator may have accepted it meanwhile, in another process.
            let kept = self.kept(chain_id).await;
            if kept.accepted > seen.accepted {
                let again = self::standing(connection, kept.entry).await?;
                marks = self.judge(&again, &kept, own.clone());
                *self.seen() = kept;
            }
        }
        let chain = standing.chain.unwrap_or_default();
        if marks.is_ok() {
            self.saw(standing.last, &chain);
        }
        Ok(Look {
            marks,
            own,
            last: standing.last,
            chain,
        })
    }

    /// The trail was seen to go on up to here.
    pub(crate) fn saw(&self, entry: i64, chain: &[u8]) {
        let mut seen = self.seen();
        if entry > seen.entry {
            (seen.entry, seen.value) = (entry, chain.to_vec());
        }
    }

    /// The operator takes what is there for true.
    pub(crate) fn accepted(&self, entry: i64, chain: &[u8]) {
        let mut seen = self.seen();
        (seen.entry, seen.value) = (entry, chain.to_vec());
        seen.accepted += 1;
    }

    /// The rows are of a Vega before row values, and for this reason it cannot be told whether they are what it left.
    pub(crate) fn is_unsealed(&self, why: String) {
        *self.unsealed.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    fn judge(&self, standing: &Standing, seen: &Seen, own: Option<Marks>) -> Result<Marks, Doubt> {
        let mut unsealed = self.unsealed.lock().unwrap_or_else(PoisonError::into_inner);
        if standing.value.is_some() {
            // The operator accepted them, in whichever process.
            *unsealed = None;
        }
        if let Some(why) = &*unsealed {
            return Err(Doubt::Unsealed { why: why.clone() });
        }
        if seen.entry > standing.last {
            return Err(Doubt::Older {
                last: standing.last,
                kept: seen.entry,
            });
        }
        if seen.entry > 0 && standing.seen.as_ref() != Some(&seen.value) {
            return Err(Doubt::Another { entry: seen.entry });
        }
        own.ok_or(Doubt::Changed)
    }

    /// The marks, if they are those of the trail that is there.
    fn own(&self, standing: &Standing) -> Option<Marks> {
        let (entry, marks, value) = (
            standing.entry?,
            standing.marks.as_ref()?,
            standing.value.as_ref()?,
        );
        let chain = standing.chain.as_deref().unwrap_or_default();
        let fits = self.mac(entry, chain, marks).verify_slice(value).is_ok();
        (entry == standing.last && fits)
            .then(|| serde_json::from_str(marks).ok())
            .flatten()
    }

    fn mac(&self, entry: i64, chain: &[u8], marks: &str) -> Hmac<Sha256> {
        let mut mac = self.latest.clone();
        for part in [&entry.to_be_bytes()[..], chain, marks.as_bytes()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }

    /// Stores the marks as of the trail's last entry.
    pub(crate) async fn keep(
        &self,
        connection: &mut SqliteConnection,
        marks: &Marks,
        (entry, chain): (i64, &[u8]),
    ) -> Result<(), sqlx::Error> {
        let text = serde_json::to_string(marks).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let value = self.mac(entry, chain, &text).finalize().into_bytes();
        sqlx::query(
            "INSERT INTO latest_changes (id, entry, marks, value) VALUES (1, $1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET entry = excluded.entry, marks = excluded.marks, value = excluded.value",
        )
        .bind(entry)
        .bind(text)
        .bind(&value[..])
        .execute(connection)
        .await
        .map(drop)
    }

    /// Whether a row is what Vega wrote last.
    pub(crate) fn fits(
        &self,
        marks: &Marks,
        table: &SealedTable,
        row: &SqliteRow,
        whose: Whose<'_>,
    ) -> Result<(), Misfit> {
        let entry = self.values.entry_of(table, row).ok_or(Misfit::Changed)?;
        match marks.get(whose) {
            Some(mark) if mark.entry == entry => Ok(()),
            _ => Err(Misfit::PutBack),
        }
    }
}

async fn standing(connection: &mut SqliteConnection, seen: i64) -> Result<Standing, StoreError> {
    sqlx::query_as(STANDING)
        .bind(seen)
        .fetch_one(connection)
        .await
        .map_err(failed("read where the database stands"))
}

/// How a row does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It is not what Vega wrote.
    Changed,
    /// It is, but not the last that Vega wrote.
    PutBack,
    /// It is, but whether it is the last cannot be told.
    Outdated,
    /// It is not there.
    Gone,
}

impl Misfit {
    /// The stable name in JSON.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::PutBack | Self::Outdated => "put_back",
            Self::Gone => "gone",
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "was changed outside Vega",
            Self::PutBack => "is an earlier one that was put back outside Vega",
            Self::Outdated => "may be an earlier one that was put back outside Vega",
            Self::Gone => "was taken away outside Vega",
        })
    }
}
