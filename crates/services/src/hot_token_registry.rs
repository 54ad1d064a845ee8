//! Tokens in memory, for readers that cannot wait. Secondary to the database: only what is stored and verified gets in,
//! a newer generation is never replaced by an older one, also not when the newer one is gone already. Who looks at the
//! clock and at other processes is `RegistryFollower`; a reader gets nothing dead in any case.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use vega_domain::ids::{ApiName, Generation};
use vega_domain::ports::Clock;
use vega_domain::secret::TokenAnswer;
use vega_domain::token::{CheckResult, StoredToken};

use crate::staleness::Staleness;

/// The coarse clock may lag by this much before a token's last minute begins: a tick of the system, or a processor that stood
/// still under a hypervisor. A dead token would need a clock that is late by this and that minute.
const COARSE_LAG: TimeDelta = TimeDelta::seconds(5);

/// In bytes: enough to tell two tokens apart, and too little to tell anything of them.
const FINGERPRINT: usize = 8;

/// What is known of one API's newest token.
enum Slot {
    /// Readers get it as long as it lives.
    Hot(HotToken),
    /// The same, though nothing durable took it: that the database lacks it takes it from nobody.
    OnlyHere(HotToken),
    /// It cannot be served now: its time is over, it was never verified, or the database has none any more.
    Gone(Generation),
    /// Upstox spoke against it. Only the database brings it back.
    Refused(Generation),
}

/// A token that readers get.
pub struct HotToken {
    token: Arc<StoredToken>,
    /// What programs are answered, once somebody wrote it. It is no older than the token and goes with it.
    answer: OnceLock<TokenAnswer>,
    version: OnceLock<String>,
    /// Until then the coarse clock alone decides.
    surely_until: i64,
}

/// The place of one API. It stays as long as the registry, so that a reader looks it up once. Its slot is made anew when it
/// changes, so that what was there before can be told by its address.
#[derive(Default)]
struct Place(ArcSwapOption<Slot>);

type Places = HashMap<ApiName, Arc<Place>>;

/// The hot registry. Reads take no lock, wait for nobody and allocate nothing (but for a thread's first one, which gets the
/// thread its place among the readers).
pub struct HotTokenRegistry {
    /// Only gains places.
    places: ArcSwap<Places>,
    /// Writers one after the other; no reader takes it.
    writing: Mutex<()>,
    /// How often what readers get has changed.
    changes: watch::Sender<u64>,
    staleness: Staleness,
    clock: Arc<dyn Clock>,
}

/// Hands out the token of one API, whichever it is at the time. Made by `HotTokenRegistry::reader`.
#[derive(Clone)]
pub struct TokenReader {
    place: Arc<Place>,
    clock: Arc<dyn Clock>,
}

/// What the registry held at one moment, to tell what changed since.
pub(crate) struct Mark(HashMap<ApiName, Arc<Slot>>);

/// Whether the registry is what the database was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reconciled {
    /// It is.
    Wholly,
    /// Somebody changed a slot while the tokens were loaded, so it was left alone: load again.
    ButForLaterChanges,
}

impl TokenReader {
    /// The token, if a program may have it now.
    pub fn get(&self) -> Option<Arc<StoredToken>> {
        self.place.serve(&*self.clock, |hot| Arc::clone(&hot.token))
    }

    /// What `look` makes of the token, if a program may have it now. Cheaper than `get`: nothing is counted.
    pub fn read<T>(&self, look: impl FnOnce(&StoredToken) -> T) -> Option<T> {
        self.place.serve(&*self.clock, |hot| look(&hot.token))
    }
}

impl HotToken {
    /// The token itself.
    pub fn token(&self) -> &StoredToken {
        &self.token
    }

    /// Tells this token from every other one of its API: by its generation and its fingerprint, for a generation comes twice where a
    /// database lost the first one.
    pub fn version(&self) -> &str {
        self.version.get_or_init(|| {
            let hash = Sha256::digest(self.token.access_token.expose());
            let fingerprint = hash
                .iter()
                .take(FINGERPRINT)
                .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
            format!("{}-{fingerprint}", self.token.generation)
        })
    }

    /// What programs are answered: `write` is asked once for each token that gets in here.
    pub fn answer(&self, write: impl FnOnce(&StoredToken) -> TokenAnswer) -> TokenAnswer {
        self.answer.get_or_init(|| write(&self.token)).clone()
    }
}

impl HotTokenRegistry {
    /// An empty registry.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            places: ArcSwap::default(),
            writing: Mutex::default(),
            changes: watch::Sender::new(0),
            staleness: Staleness::new(),
            clock,
        }
    }

    /// The token of one API, if a program may have it now.
    pub fn get(&self, api: &ApiName) -> Option<Arc<StoredToken>> {
        self.read(api, |hot| Arc::clone(&hot.token))
    }

    /// What `look` makes of the token of one API, if a program may have it now.
    pub fn read<T>(&self, api: &ApiName, look: impl FnOnce(&HotToken) -> T) -> Option<T> {
        self.places.load().get(api)?.serve(&*self.clock, look)
    }

    /// What `look` makes of the first of these tokens that a program may have now.
    pub fn read_first<T>(&self, names: &[ApiName], look: impl FnOnce(&HotToken) -> T) -> Option<T> {
        let places = self.places.load();
        let mut look = Some(look);
        names.iter().find_map(|name| {
            places
                .get(name)?
                .serve(&*self.clock, |hot| look.take().map(|look| look(hot)))
                .flatten()
        })
    }

    /// Reads the token of one API again and again without looking the API up, also of one that has no token yet.
    pub fn reader(&self, api: &ApiName) -> TokenReader {
        let found = self.places.load().get(api).cloned();
        let place = found.unwrap_or_else(|| self.change(|writer| writer.place(api)));
        TokenReader {
            place,
            clock: Arc::clone(&self.clock),
        }
    }

    /// Tells when what readers get has changed: a token came, was replaced, was taken out, or began its last minute. The
    /// value counts the changes; `get` says what there is. Time and other processes are told of only while a
    /// `RegistryFollower` is at work.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// How long the database could not be asked for what other processes changed: a token that was revoked since is handed out on.
    /// `None` while it can.
    pub fn stale_for(&self) -> Option<Duration> {
        self.staleness.lasts()
    }

    pub(crate) fn staleness(&self) -> &Staleness {
        &self.staleness
    }

    /// Takes note of a token that was just stored. Returns whether readers see it now: one that is not servable only
    /// takes an older one out, and one that is older than what is known here changes nothing.
    pub fn publish(&self, token: &StoredToken) -> bool {
        self.put(token, Slot::of(token, self.clock.now()))
    }

    /// The same for a token that neither the database nor the spool took. It lives as long as this process.
    pub fn publish_unstored(&self, token: &StoredToken) -> bool {
        let slot = match Slot::of(token, self.clock.now()) {
            Slot::Hot(hot) => Slot::OnlyHere(hot),
            other => other,
        };
        self.put(token, slot)
    }

    fn put(&self, token: &StoredToken, slot: Slot) -> bool {
        self.change(|writer| {
            let held = writer.slot(&token.api);
            let is_too_old = held.is_some_and(|held| match *held {
                Slot::Hot(_) | Slot::OnlyHere(_) | Slot::Gone(_) => token.generation < held.generation(),
                Slot::Refused(refused) => token.generation <= refused,
            });
            let published = !is_too_old && slot.hot().is_some();
            if !is_too_old {
                writer.put(&token.api, slot);
            }
            published
        })
    }

    /// Takes a token out that Upstox called dead or somebody else's. A newer one stays.
    pub fn remove(&self, api: &ApiName, generation: Generation) {
        self.change(|writer| {
            let held = writer.slot(api).map(|slot| slot.generation());
            if held.is_none_or(|held| held <= generation) {
                writer.put(api, Slot::Refused(generation));
            }
        });
    }

    /// Takes out what is in its last minute or past it.
    pub(crate) fn expire(&self) {
        let now = self.clock.now();
        let has_died = |place: &Place| {
            let slot = place.0.load();
            let hot = slot.as_ref().and_then(|slot| slot.hot());
            hot.is_some_and(|hot| !hot.token.is_servable(now))
        };
        let places = self.places.load();
        if places.values().any(|place| has_died(place)) {
            self.change(|writer| {
                for (api, place) in places.iter().filter(|(_, place)| has_died(place)) {
                    if let Some(slot) = &*place.0.load() {
                        writer.put(api, Slot::Gone(slot.generation()));
                    }
                }
            });
        }
    }

    /// What is held now. To be taken before the tokens are loaded that `reconcile` gets.
    pub(crate) fn mark(&self) -> Mark {
        let places = self.places.load();
        let held = places
            .iter()
            .filter_map(|(api, place)| Some((api.clone(), place.0.load_full()?)));
        Mark(held.collect())
    }

    /// After the last commits were lost with a database server, `stored` being the newest token of each API that has one there: what is
    /// served and is not there stays, as only here, and is returned. Numbers of what is dead are used again.
    pub(crate) fn keep_what_was_lost(&self, stored: &[StoredToken]) -> Vec<Arc<StoredToken>> {
        let now = self.clock.now();
        let there: HashMap<&ApiName, Generation> = stored
            .iter()
            .map(|token| (&token.api, token.generation))
            .collect();
        let mut kept = Vec::new();
        self.change(|writer| {
            let places = Arc::clone(&writer.places);
            for (api, place) in places.iter() {
                let there = there.get(api).copied();
                let held = place.0.load_full();
                let Some(held) = held.filter(|held| Some(held.generation()) > there) else {
                    continue;
                };
                let slot = match held.hot().filter(|hot| hot.token.is_servable(now)) {
                    Some(hot) => {
                        kept.push(Arc::clone(&hot.token));
                        Slot::OnlyHere(HotToken::of(&hot.token))
                    }
                    None => Slot::Gone(there.unwrap_or(Generation::FIRST)),
                };
                writer.put(api, slot);
            }
        });
        kept
    }

    /// Makes the registry what the database is, `stored` being the newest token of each API that has one. Slots that
    /// changed since `mark` may know more than the database told, and stay.
    pub(crate) fn reconcile(&self, mark: &Mark, stored: Vec<StoredToken>) -> Reconciled {
        let now = self.clock.now();
        let mut outcome = Reconciled::Wholly;
        let mut stored: HashMap<ApiName, StoredToken> = stored
            .into_iter()
            .map(|token| (token.api.clone(), token))
            .collect();
        self.change(|writer| {
            let known = writer.places.keys().chain(stored.keys()).cloned();
            let apis: HashSet<ApiName> = known.collect();
            for api in apis {
                let token = stored.remove(&api);
                let held = writer.slot(&api);
                if held.as_ref().map(Arc::as_ptr) != mark.0.get(&api).map(Arc::as_ptr) {
                    outcome = Reconciled::ButForLaterChanges;
                    continue;
                }
                let slot = match (token, held.as_deref()) {
                    (Some(token), held) if held.is_none_or(|held| held.generation() <= token.generation) => {
                        Slot::of(&token, now)
                    }
                    (Some(token), Some(Slot::OnlyHere(hot))) if is_past(&token, &hot.token) => {
                        Slot::of(&token, now)
                    }
                    (_, Some(Slot::OnlyHere(_)) | None) => continue,
                    // A backup was put back, say: what it lacks is not durable, what it has is older.
                    (_, Some(held)) => Slot::Gone(held.generation()),
                };
                writer.put(&api, slot);
            }
        });
        outcome
    }

    /// Has one writer at work, and tells subscribers once if readers get something else afterwards.
    fn change<T>(&self, change: impl FnOnce(&mut Writer) -> T) -> T {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = Writer {
            places: self.places.load_full(),
            has_more_places: false,
            is_noticed: false,
        };
        let made = change(&mut writer);
        if writer.has_more_places {
            self.places.store(writer.places);
        }
        if writer.is_noticed {
            self.changes.send_modify(|changes| *changes += 1);
        }
        made
    }
}

/// Whether somebody signed in anew, or revoked, after this token was issued that only this process has. Numbers do not tell: those of
/// tokens that were lost are used again.
fn is_past(stored: &StoredToken, only_here: &StoredToken) -> bool {
    let revoked = stored
        .last_check
        .filter(|check| check.result == CheckResult::Revoked);
    stored.issued_at > only_here.issued_at || revoked.is_some_and(|check| check.at > only_here.issued_at)
}

/// Who holds the registry's lock for writers.
struct Writer {
    places: Arc<Places>,
    /// Whether `places` are not yet the registry's.
    has_more_places: bool,
    /// Whether readers get something else now.
    is_noticed: bool,
}

impl Writer {
    fn place(&mut self, api: &ApiName) -> Arc<Place> {
        if let Some(place) = self.places.get(api) {
            return Arc::clone(place);
        }
        let place = Arc::<Place>::default();
        Arc::make_mut(&mut self.places).insert(api.clone(), Arc::clone(&place));
        self.has_more_places = true;
        place
    }

    fn slot(&self, api: &ApiName) -> Option<Arc<Slot>> {
        self.places.get(api)?.0.load_full()
    }

    fn put(&mut self, api: &ApiName, slot: Slot) {
        let slot = Arc::new(slot);
        let before = self.place(api).0.swap(Some(Arc::clone(&slot)));
        let served = |slot: Option<&'_ Slot>| slot.and_then(Slot::hot).map(|hot| Arc::clone(&hot.token));
        self.is_noticed |= match (served(before.as_deref()), served(Some(&slot))) {
            (None, None) => false,
            // A generation comes twice where a database lost the first one.
            (Some(before), Some(after)) => {
                before.generation != after.generation
                    || before.access_token.expose() != after.access_token.expose()
            }
            _ => true,
        };
    }
}

impl Place {
    fn serve<T>(&self, clock: &dyn Clock, look: impl FnOnce(&HotToken) -> T) -> Option<T> {
        let slot = self.0.load();
        // The clock after the slot: what was alive when it was looked up may be dead when it is handed out.
        let hot = slot.as_ref()?.hot().filter(|hot| hot.lives(clock))?;
        Some(look(hot))
    }
}

impl HotToken {
    fn of(token: &StoredToken) -> Self {
        let surely = token.served_until() - COARSE_LAG;
        Self {
            token: Arc::new(token.clone()),
            answer: OnceLock::new(),
            version: OnceLock::new(),
            surely_until: surely.timestamp_micros(),
        }
    }

    fn lives(&self, clock: &dyn Clock) -> bool {
        clock.coarse_micros() < self.surely_until || self.token.is_servable(clock.now())
    }
}

impl Slot {
    fn of(token: &StoredToken, now: DateTime<Utc>) -> Self {
        if token.is_servable(now) {
            Self::Hot(HotToken::of(token))
        } else if token.is_refused() {
            Self::Refused(token.generation)
        } else {
            Self::Gone(token.generation)
        }
    }

    /// What is older than this never gets in.
    fn generation(&self) -> Generation {
        match self {
            Self::Hot(hot) | Self::OnlyHere(hot) => hot.token.generation,
            Self::Gone(generation) | Self::Refused(generation) => *generation,
        }
    }

    fn hot(&self) -> Option<&HotToken> {
        match self {
            Self::Hot(hot) | Self::OnlyHere(hot) => Some(hot),
            Self::Gone(_) | Self::Refused(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
