//! What was seen of consumers, in memory: one place for each consumer and API, and what of it is not written down yet. One lock, held for a
//! look-up.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use vega_domain::consumer::{Consumer, ConsumerIdentity, ConsumerStop, ConsumerUse};
use vega_domain::ids::{ApiName, ConsumerName, Generation};

/// So many programs of one user are told apart: a user names its programs, and a timer may have another name each time.
const PROGRAMS_EACH: usize = 256;
/// So many names one identity can give itself; a program that takes another one each time is shown as what it is.
const NAMES_EACH: usize = 64;

/// A consumer, as it is known now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownConsumer {
    /// What was seen of it last.
    pub seen: ConsumerUse,
    /// Whether it listens to a stream of this API's token now.
    pub is_connected: bool,
    /// Since when and why it gets nothing, if so.
    pub stop: Option<Arc<ConsumerStop>>,
}

/// What tells a use from the others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    identity: ConsumerIdentity,
    own_name: Option<ConsumerName>,
    api: ApiName,
}

impl Place {
    fn of(seen: &ConsumerUse) -> Self {
        Self {
            identity: seen.consumer.identity.clone(),
            own_name: seen.consumer.own_name.clone(),
            api: seen.api.clone(),
        }
    }
}

/// What of a use is not written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unwritten {
    Nothing,
    /// That it was seen again.
    Sight,
    /// That it is there, or has another token.
    Move,
}

#[derive(Debug)]
struct Held {
    seen: ConsumerUse,
    /// How many streams it listens to.
    streams: usize,
    unwritten: Unwritten,
}

impl Held {
    /// As it stands at `now`: whoever listens is there.
    fn at(&self, now: DateTime<Utc>) -> ConsumerUse {
        let mut seen = self.seen.clone();
        if self.streams > 0 {
            seen.last_seen_at = now;
        }
        seen
    }
}

#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<Place, Held>>);

impl Uses {
    fn held(&self) -> MutexGuard<'_, HashMap<Place, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether that is news: it is a new one, or has another token.
    pub(super) fn note(
        &self,
        consumer: Consumer,
        api: &ApiName,
        has: Option<Generation>,
        now: DateTime<Utc>,
    ) -> bool {
        let mut all = self.held();
        let (place, is_new) = enter(&mut all, consumer, api, now);
        let Some(held) = all.get_mut(&place) else {
            return false;
        };
        held.seen.last_seen_at = now;
        let has_moved = has.is_some() && held.seen.generation != has;
        if has_moved {
            held.seen.generation = has;
            held.seen.moved_at = Some(now);
            held.unwritten = Unwritten::Move;
        } else if held.unwritten == Unwritten::Nothing {
            held.unwritten = Unwritten::Sight;
        }
        is_new || has_moved
    }

    /// One more stream.
    pub(super) fn connect(&self, consumer: Consumer, api: &ApiName, now: DateTime<Utc>) -> Place {
        let mut all = self.held();
        let (place, _) = enter(&mut all, consumer, api, now);
        if let Some(held) = all.get_mut(&place) {
            held.streams += 1;
            held.seen.last_seen_at = now;
        }
        place
    }

    /// One stream less.
    pub(super) fn disconnect(&self, place: &Place, now: DateTime<Utc>) {
        if let Some(held) = self.held().get_mut(place) {
            held.streams = held.streams.saturating_sub(1);
            held.seen.last_seen_at = now;
            if held.unwritten == Unwritten::Nothing {
                held.unwritten = Unwritten::Sight;
            }
        }
    }

    pub(super) fn all(&self, now: DateTime<Utc>) -> Vec<KnownConsumer> {
        let all = self.held();
        let known = all.values().map(|held| KnownConsumer {
            seen: held.at(now),
            is_connected: held.streams > 0,
            stop: None,
        });
        known.collect()
    }

    /// What is stored, where it is later than what is known here. Returns whether it was.
    pub(super) fn take_in(&self, stored: Vec<ConsumerUse>, now: DateTime<Utc>) -> bool {
        let mut all = self.held();
        let mut is_news = false;
        for seen in stored {
            let place = Place::of(&seen);
            let is_later = all.get(&place).is_none_or(|held| {
                held.at(now).last_seen_at < seen.last_seen_at && held.unwritten != Unwritten::Move
            });
            if is_later {
                let streams = all.get(&place).map_or(0, |held| held.streams);
                let held = Held {
                    seen,
                    streams,
                    unwritten: Unwritten::Nothing,
                };
                all.insert(place, held);
                is_news = true;
            }
        }
        is_news
    }

    /// Who moved; with `everything`, also whoever was seen again or listens.
    pub(super) fn unwritten(&self, everything: bool, now: DateTime<Utc>) -> Vec<ConsumerUse> {
        let all = self.held();
        let due = all.values().filter(|held| match held.unwritten {
            Unwritten::Move => true,
            Unwritten::Sight => everything,
            Unwritten::Nothing => everything && held.streams > 0,
        });
        due.map(|held| held.at(now)).collect()
    }

    /// These are written down as they are. What came later still is to be.
    pub(super) fn are_written(&self, rows: &[ConsumerUse]) {
        let mut all = self.held();
        for row in rows {
            let Some(held) = all.get_mut(&Place::of(row)) else {
                continue;
            };
            if held.seen.generation == row.generation {
                let is_all = held.streams > 0 || held.seen.last_seen_at <= row.last_seen_at;
                held.unwritten = if is_all {
                    Unwritten::Nothing
                } else {
                    Unwritten::Sight
                };
            }
        }
    }

    /// Who was seen last before this, and does not listen.
    pub(super) fn forget(&self, before: DateTime<Utc>) {
        let mut all = self.held();
        all.retain(|_, held| held.streams > 0 || held.seen.last_seen_at >= before);
    }
}

/// How many programs of this user are known to use the token of this API.
fn programs_of(all: &HashMap<Place, Held>, user: &ConsumerIdentity, api: &ApiName) -> usize {
    let of_user = all.keys().filter(|place| place.api == *api);
    let of_user = of_user.filter(|place| place.identity.of_user().as_ref() == Some(user));
    of_user.map(|place| &place.identity).collect::<HashSet<_>>().len()
}

/// The place of this consumer, made if it is a new one; whether it is.
fn enter(
    all: &mut HashMap<Place, Held>,
    consumer: Consumer,
    api: &ApiName,
    now: DateTime<Utc>,
) -> (Place, bool) {
    let seen = ConsumerUse {
        consumer,
        api: api.clone(),
        generation: None,
        moved_at: None,
        last_seen_at: now,
    };
    let mut place = Place::of(&seen);
    if let Some(held) = all.get_mut(&place) {
        held.seen.consumer = seen.consumer;
        return (place, false);
    }
    let mut seen = seen;
    if let Some(user) = place.identity.of_user()
        && programs_of(all, &user, api) >= PROGRAMS_EACH
        && !all.keys().any(|known| known.identity == place.identity)
    {
        seen.consumer = Consumer {
            identity_name: user.to_string(),
            identity: user,
            own_name: None,
            ..seen.consumer
        };
        place = Place::of(&seen);
        if all.contains_key(&place) {
            return (place, false);
        }
    }
    let names = all
        .keys()
        .filter(|known| known.identity == place.identity && known.api == place.api);
    if place.own_name.is_some() && names.count() >= NAMES_EACH {
        seen.consumer.own_name = None;
        place.own_name = None;
        if all.contains_key(&place) {
            return (place, false);
        }
    }
    let held = Held {
        seen,
        streams: 0,
        unwritten: Unwritten::Move,
    };
    all.insert(place.clone(), held);
    (place, true)
}
