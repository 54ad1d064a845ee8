//! Decides whether the database as a whole is what Vega left: compares its list of latest changes with the end of its audit
//! trail, and that trail with what this process and the checkpoints saw of it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use vega_domain::ports::StoreError;

use crate::audit::checkpoints::CheckpointFile;
use crate::audit::database_mistrust::DatabaseMistrust;
use crate::audit::latest_changes::{Marks, Misfit, Whose};
use crate::database::move_state::{DatabaseMove, OpenedFor};
use crate::key_files::root_key::{KeyId, RootKey};
use crate::postgres::history::History;
#[cfg(feature = "injected-defects")]
use crate::postgres::injected_defects::InjectedDefect;
use crate::sealing::row_values::RowValues;
use crate::sql::record;

/// Keeps this key apart from every other use of the root key.
const CONTEXT: &[u8] = b"vega latest changes 1";

/// The last entry of the trail that was seen. It must still be there.
#[derive(Debug, Clone, Default)]
struct Seen {
    entry: i64,
    value: Vec<u8>,
    /// How many times the operator accepted another trail, according to the file of checkpoints.
    accepted: usize,
    /// Where the server was in its history then, if the database is on one.
    history: Option<History>,
    /// Whether this process saw it, and not only one before it.
    is_of_this_process: bool,
}

fn see(seen: &mut Seen, entry: i64, chain: &[u8], history: Option<History>) {
    let is_of_one_before = history
        .zip(seen.history)
        .is_some_and(|(now, known)| now.is_before(known));
    // Slow news of a server that was replaced is none.
    if is_of_one_before || entry < seen.entry || entry == seen.entry && seen.value != chain {
        return;
    }
    (seen.entry, seen.value) = (entry, chain.to_vec());
    seen.history = history;
    seen.is_of_this_process = true;
}

fn accept(seen: &mut Seen, entry: i64, chain: &[u8], history: Option<History>) {
    (seen.entry, seen.value) = (entry, chain.to_vec());
    seen.accepted += 1;
    seen.history = history;
}

/// A standby lacks the last moments; where more is missing, a backup was put back, and that is the operator's to accept.
const LOST_AT_MOST: i64 = 500;

/// Whether another server took the place of the one where this was seen.
fn is_replaced(seen: &Seen, history: Option<History>) -> bool {
    seen.history
        .zip(history)
        .is_some_and(|(then, now)| then.is_before(now))
}

/// Decides whether rows, and the database as a whole, are what Vega wrote.
pub(crate) struct RowTrust {
    pub(crate) values: RowValues,
    latest: Hmac<Sha256>,
    key: KeyId,
    checkpoints: CheckpointFile,
    seen: Mutex<Seen>,
    /// The list that was read or written last, with its value: of thousands of APIs it is long, and most reads find it
    /// unchanged.
    parsed: Mutex<Option<(Vec<u8>, Arc<Marks>)>>,
    /// Why rows without values, from an earlier Vega, are not trusted; `None` where there are no such rows.
    unsealed: Mutex<Option<String>>,
    losses: AtomicU64,
    opened_for: OpenedFor,
}

impl fmt::Debug for RowTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowTrust([redacted])")
    }
}

record! {
    /// The state of the database's trail and list of latest changes, as read within one snapshot.
    #[derive(Debug)]
    pub(crate) struct Standing {
        key_id: Option<Vec<u8>>,
        chain_id: Option<Vec<u8>>,
        /// The trail's last entry.
        last: i64,
        chain: Option<Vec<u8>>,
        seen: Option<Vec<u8>>,
        entry: Option<i64>,
        marks: Option<String>,
        value: Option<Vec<u8>>,
        state: Option<String>,
        url: Option<String>,
        machine: Option<String>,
    }
}

impl Standing {
    fn database_move(&self) -> Option<DatabaseMove> {
        let columns = (self.state.clone()?, self.url.clone()?, self.machine.clone()?);
        Some(DatabaseMove::of_columns(columns))
    }
}

/// The result of a look: the marks, or why the database is not trusted; and the end of the trail.
pub(crate) struct Look {
    pub(crate) marks: Result<Arc<Marks>, DatabaseMistrust>,
    /// The marks, if they fit the trail in the database, whether or not that trail is the one that was seen before.
    pub(crate) own: Option<Arc<Marks>>,
    pub(crate) last: i64,
    pub(crate) chain: Vec<u8>,
    /// Where the server was in its history.
    pub(crate) history: Option<History>,
    /// Why nothing may be written, whatever it is.
    pub(crate) stopped: Option<String>,
}

/// What was seen before a snapshot began: the snapshot must contain it.
pub(crate) struct Before(Seen);

impl Before {
    /// The last entry that was seen.
    pub(crate) fn entry(&self) -> i64 {
        self.0.entry
    }
}

/// Why the database was not looked at.
#[derive(Debug)]
pub(crate) enum NoLook {
    /// It is sealed with another key now.
    OtherKey,
    Failed(StoreError),
}

impl From<StoreError> for NoLook {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<NoLook> for StoreError {
    fn from(why: NoLook) -> Self {
        match why {
            NoLook::OtherKey => Self::Unreadable(
                "the database is sealed with another key than this program has: start it again".into(),
            ),
            NoLook::Failed(error) => error,
        }
    }
}

impl RowTrust {
    pub(crate) fn new(key: &RootKey, checkpoints: CheckpointFile) -> Self {
        Self {
            values: RowValues::new(key),
            latest: key.derive(CONTEXT),
            key: key.id,
            checkpoints,
            seen: Mutex::default(),
            parsed: Mutex::default(),
            unsealed: Mutex::default(),
            losses: AtomicU64::default(),
            opened_for: OpenedFor::Use,
        }
    }

    pub(crate) fn opened_for(self, opened_for: OpenedFor) -> Self {
        Self { opened_for, ..self }
    }

    /// The same under the next root key: what was seen of the trail counts on.
    pub(crate) fn followed_by(&self, key: &RootKey) -> Self {
        let unsealed = self
            .unsealed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        Self {
            seen: Mutex::new(self.seen().clone()),
            unsealed: Mutex::new(unsealed),
            losses: AtomicU64::new(self.losses()),
            opened_for: self.opened_for,
            ..Self::new(key, self.checkpoints.clone())
        }
    }

    /// Must be called before the transaction begins in which `look` reads.
    pub(crate) fn before(&self) -> Before {
        Before(self.seen().clone())
    }

    /// What a look on this server judges by. On one that took the place of another, all that was seen there must be, however long ago the
    /// look began.
    pub(crate) fn on(&self, before: Before, history: Option<History>) -> Before {
        let now = self.before();
        if is_replaced(&before.0, history) && is_replaced(&now.0, history) {
            return now;
        }
        before
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file of checkpoints now. A file that cannot be read counts as empty: that is logged, and is no reason
    /// for mistrust.
    fn kept(&self, chain_id: &[u8]) -> Seen {
        match self.checkpoints.newest(chain_id) {
            Ok(newest) => Seen {
                accepted: newest.accepted,
                entry: newest
                    .checkpoint
                    .as_ref()
                    .map_or(0, |checkpoint| checkpoint.entry),
                value: newest
                    .checkpoint
                    .map_or_else(Vec::new, |checkpoint| checkpoint.value.to_vec()),
                history: None,
                is_of_this_process: false,
            },
            Err(error) => {
                tracing::warn!(%error, "whether the database is older than its checkpoint cannot be told");
                Seen::default()
            }
        }
    }

    /// Records that the trail was seen up to this entry.
    pub(crate) fn saw(&self, entry: i64, chain: &[u8], history: Option<History>) {
        see(&mut self.seen(), entry, chain, history);
    }

    /// The same after a look that judged by `before`. Returns false, and records nothing, where more was seen meanwhile on a server that
    /// was replaced since: that must be in the trail, too.
    fn saw_after(&self, before: &Seen, entry: i64, chain: &[u8], history: Option<History>) -> bool {
        let mut seen = self.seen();
        if is_replaced(&seen, history) && seen.entry > before.entry {
            return false;
        }
        see(&mut seen, entry, chain, history);
        true
    }

    /// Records that the trail counts as it is, because the operator accepted it.
    pub(crate) fn accepted(&self, entry: i64, chain: &[u8], history: Option<History>) {
        accept(&mut self.seen(), entry, chain, history);
    }

    /// The same because a loss of commits was noticed and is safe now. Whoever finds the trail in order from now on finds the loss
    /// counted, too.
    pub(crate) fn noticed_a_loss(&self, entry: i64, chain: &[u8], history: Option<History>) {
        let mut seen = self.seen();
        accept(&mut seen, entry, chain, history);
        self.losses.fetch_add(1, Ordering::AcqRel);
    }

    /// Counts anew how often a trail was accepted, once that is in the file: another process may have accepted this one, too.
    pub(crate) fn counts_acceptances(&self, chain_id: &[u8]) {
        let accepted = self.kept(chain_id).accepted;
        self.seen().accepted = accepted;
    }

    /// How many losses were noticed.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    /// Records that the rows are from a Vega before row values, and why they are not trusted.
    pub(crate) fn is_unsealed(&self, why: String) {
        *self.unsealed.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// Reads what was kept of this trail outside the database, when its server was there in its history.
    pub(crate) fn learn(&self, chain_id: &[u8], history: Option<History>) {
        let kept = Seen {
            history,
            ..self.kept(chain_id)
        };
        *self.seen() = kept;
    }

    /// Compares the state of the database with what was seen. Fails where the database now belongs to another key; `None` where more was
    /// seen meanwhile on a server that was replaced since. `history` is where the server is in its history now.
    pub(crate) fn compare(
        &self,
        standing: &Standing,
        Before(seen): &Before,
        history: Option<History>,
    ) -> Result<Option<Look>, NoLook> {
        if standing.key_id.as_deref() != Some(&self.key.0[..]) {
            return Err(NoLook::OtherKey);
        }
        let moves = standing
            .database_move()
            .filter(|_| self.opened_for == OpenedFor::Use);
        let own = self.own(standing);
        let mut marks = self.judge(standing, seen, own.clone());
        let is_near = seen.entry - standing.last <= LOST_AT_MOST;
        if let Some(then) = seen.history.filter(|_| is_replaced(seen, history))
            && let Some(own) = &own
            // Somebody who knew less of the trail may have made it safe.
            && (is_near || own.has_made_safe_since(then.timeline))
            && marks.as_ref().is_err_and(DatabaseMistrust::is_of_another_trail)
        {
            marks = Err(DatabaseMistrust::Lost {
                last: standing.last,
                kept: seen.entry,
                timeline: then.timeline,
                by_this_process: seen.is_of_this_process,
            });
        }
        if let Some(words) = moves.as_ref().and_then(DatabaseMove::stops_reads) {
            marks = Err(DatabaseMistrust::Moved { words });
        }
        let chain = standing.chain.clone().unwrap_or_default();
        if marks.is_ok() && !self.saw_after(seen, standing.last, &chain, history) {
            return Ok(None);
        }
        Ok(Some(Look {
            marks,
            own,
            last: standing.last,
            chain,
            history,
            stopped: moves.as_ref().map(DatabaseMove::stops_writes),
        }))
    }

    /// What must be in the trail where another server took the place of the one that was there: what this machine kept too, since the last
    /// commits are another process's as often as this one's.
    pub(crate) fn kept_since(
        &self,
        standing: &Standing,
        Before(seen): &Before,
        history: Option<History>,
    ) -> Option<Before> {
        if !is_replaced(seen, history) {
            return None;
        }
        let kept = self.kept(standing.chain_id.as_deref().unwrap_or_default());
        if kept.accepted != seen.accepted || kept.entry <= seen.entry {
            return None;
        }
        Some(Before(Seen {
            history: seen.history,
            is_of_this_process: seen.is_of_this_process,
            ..kept
        }))
    }

    /// What must be in the trail from now on, if the operator accepted another trail meanwhile in another process. A loss is left to be
    /// found, whether another one has made it safe or does so at this moment: what this one serves and did has to be seen to, too.
    pub(crate) fn accepted_since(
        &self,
        look: &Look,
        standing: &Standing,
        Before(seen): &Before,
    ) -> Option<Before> {
        match &look.marks {
            Err(DatabaseMistrust::Lost { .. }) => return None,
            Err(mistrust) if mistrust.is_of_another_trail() => {}
            _ => return None,
        }
        let kept = Seen {
            history: look.history,
            ..self.kept(standing.chain_id.as_deref().unwrap_or_default())
        };
        if kept.accepted <= seen.accepted {
            return None;
        }
        *self.seen() = kept.clone();
        Some(Before(kept))
    }

    fn judge(
        &self,
        standing: &Standing,
        seen: &Seen,
        own: Option<Arc<Marks>>,
    ) -> Result<Arc<Marks>, DatabaseMistrust> {
        let mut unsealed = self.unsealed.lock().unwrap_or_else(PoisonError::into_inner);
        if standing.value.is_some() {
            // The operator accepted them, in whichever process.
            *unsealed = None;
        }
        if let Some(why) = &*unsealed {
            return Err(DatabaseMistrust::Unsealed { why: why.clone() });
        }
        #[cfg(feature = "injected-defects")]
        if InjectedDefect::LossNotLookedFor.is_in_force() {
            return own.ok_or(DatabaseMistrust::Changed);
        }
        if seen.entry > standing.last {
            return Err(DatabaseMistrust::Older {
                last: standing.last,
                kept: seen.entry,
            });
        }
        if seen.entry > 0 && standing.seen.as_ref() != Some(&seen.value) {
            return Err(DatabaseMistrust::Another { entry: seen.entry });
        }
        own.ok_or(DatabaseMistrust::Changed)
    }

    /// The marks, if they belong to the trail that is in the database.
    fn own(&self, standing: &Standing) -> Option<Arc<Marks>> {
        let (entry, marks, value) = (
            standing.entry?,
            standing.marks.as_ref()?,
            standing.value.as_ref()?,
        );
        let chain = standing.chain.as_deref().unwrap_or_default();
        let fits = self.mac(entry, chain, marks).verify_slice(value).is_ok();
        if entry != standing.last || !fits {
            return None;
        }
        // The value is of this text, as was just proven: one value, one list.
        let parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((of, marks)) = parsed
            && of == *value
        {
            return Some(marks);
        }
        let marks: Arc<Marks> = Arc::new(serde_json::from_str(marks).ok()?);
        self.remember(value.clone(), Arc::clone(&marks));
        Some(marks)
    }

    /// Keeps the list that this value seals, for the next look.
    pub(crate) fn remember(&self, value: Vec<u8>, marks: Arc<Marks>) {
        *self.parsed.lock().unwrap_or_else(PoisonError::into_inner) = Some((value, marks));
    }

    fn mac(&self, entry: i64, chain: &[u8], marks: &str) -> Hmac<Sha256> {
        let mut mac = self.latest.clone();
        for part in [&entry.to_be_bytes()[..], chain, marks.as_bytes()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }

    /// The marks as text, with the value that seals them together with the trail's last entry.
    pub(crate) fn sealed(
        &self,
        marks: &Marks,
        (entry, chain): (i64, &[u8]),
    ) -> Result<(String, Vec<u8>), serde_json::Error> {
        let text = serde_json::to_string(marks)?;
        let value = self.mac(entry, chain, &text).finalize().into_bytes();
        Ok((text, value.to_vec()))
    }
}

/// Whether a row is the latest version that Vega wrote. `entry` is the entry that changed it, if its own value fits.
pub(crate) fn is_latest(marks: &Marks, whose: Whose<'_>, entry: Option<i64>) -> Result<(), Misfit> {
    let entry = entry.ok_or(Misfit::Changed)?;
    match marks.get(whose) {
        Some(mark) if mark.entry == entry => Ok(()),
        _ => Err(Misfit::PutBack),
    }
}

#[cfg(test)]
mod tests;
