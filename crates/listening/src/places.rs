//! Which connections stay when there are more than a program takes. Somebody who has shown a key, a session or a code is
//! known; all others are strangers, and have places of their own, so that no number of them keeps the known ones out. When
//! the strangers' places are taken, whoever has been in one state longest goes, and the newcomer is always heard: an honest
//! one is known, or answered, long before its turn comes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many connections there may be at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of whoever has not shown anything yet.
    pub strangers: usize,
    /// Of those who have.
    pub known: usize,
}

impl Default for Limits {
    /// Together far below the files that this process may have open: commonly 1,024, of which 384 are places.
    fn default() -> Self {
        Self::within(files_allowed())
    }
}

impl Limits {
    /// Where a process may have so many files open.
    fn within(files: u64) -> Self {
        const MOST: u64 = 384;
        const FEWEST: u64 = 24;
        let places = (files / 8 * 3).clamp(FEWEST, MOST);
        let places = usize::try_from(places).unwrap_or_default();
        Self {
            strangers: places / 3,
            known: places / 3 * 2,
        }
    }
}

#[cfg(unix)]
fn files_allowed() -> u64 {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1_024, |(now, _)| now)
}

#[cfg(not(unix))]
fn files_allowed() -> u64 {
    1_024
}

/// The places of one program, at however many addresses it listens.
#[derive(Debug, Clone)]
pub struct Places(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    limits: Limits,
    next: u64,
    held: HashMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    is_known: bool,
    /// A request is under way, or its answer.
    is_busy: bool,
    has_asked: bool,
    /// Of what it does now, or does not.
    since: Instant,
    go: CancellationToken,
}

impl Default for Places {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Places {
    /// All of them free.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Table {
            limits,
            next: 0,
            held: HashMap::new(),
        })))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for somebody who came just now. Somebody else may have to go for it.
    pub(crate) fn take(&self) -> Place {
        let mut table = self.table();
        while table.count(false) >= table.limits.strangers && table.send_off(|held| !held.is_known) {}
        let id = table.next;
        table.next += 1;
        let go = CancellationToken::new();
        let held = Held {
            is_known: false,
            is_busy: false,
            has_asked: false,
            since: Instant::now(),
            go: go.clone(),
        };
        table.held.insert(id, held);
        drop(table);
        let visitor = Visitor {
            id,
            places: self.clone(),
        };
        Place { visitor, go }
    }

    /// Makes somebody go who can be spared, because the system has nothing left for a newcomer.
    pub(crate) fn spare_one(&self) {
        let mut table = self.table();
        if !table.send_off(|held| !held.is_known) {
            table.send_off(|held| !held.is_busy);
        }
    }
}

impl Table {
    fn count(&self, known: bool) -> usize {
        self.held.values().filter(|held| held.is_known == known).count()
    }

    /// Sends the one off that has been in one state longest, of those that may be; whether there was one.
    fn send_off(&mut self, may_go: impl Fn(&Held) -> bool) -> bool {
        let candidates = self.held.iter().filter(|(_, held)| may_go(held));
        // Who came first goes first, where the clock cannot tell them apart.
        let oldest = candidates.min_by_key(|(id, held)| (held.since, **id));
        let Some(id) = oldest.map(|(id, _)| *id) else {
            return false;
        };
        if let Some(held) = self.held.remove(&id) {
            held.go.cancel();
        }
        true
    }
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    visitor: Visitor,
    go: CancellationToken,
}

impl Place {
    pub(crate) fn visitor(&self) -> &Visitor {
        &self.visitor
    }

    /// Returns when this connection has to go.
    pub(crate) async fn has_to_go(&self) {
        self.go.cancelled().await;
    }

    /// Whether the head of a request has come.
    pub(crate) fn has_asked(&self) -> bool {
        self.visitor.read(|held| held.has_asked).unwrap_or(true)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.visitor.places.table().held.remove(&self.visitor.id);
    }
}

/// Whoever sends a request: its connection. Every request has it among its extensions.
#[derive(Debug, Clone)]
pub struct Visitor {
    id: u64,
    places: Places,
}

impl Visitor {
    /// Takes note that this one has shown who it is: it takes a place among the known ones. Where these are all in use it stays
    /// where it is, and is served all the same.
    pub fn is_known_now(&self) {
        let mut table = self.places.table();
        if table.held.get(&self.id).is_none_or(|held| held.is_known) {
            return;
        }
        let is_full = |table: &Table| table.count(true) >= table.limits.known;
        while is_full(&table) && table.send_off(|held| held.is_known && !held.is_busy) {}
        if !is_full(&table)
            && let Some(held) = table.held.get_mut(&self.id)
        {
            held.is_known = true;
        }
    }

    fn read<T>(&self, what: impl Fn(&Held) -> T) -> Option<T> {
        self.places.table().held.get(&self.id).map(what)
    }

    fn turns(&self, is_busy: bool) {
        if let Some(held) = self.places.table().held.get_mut(&self.id) {
            held.is_busy = is_busy;
            held.has_asked = true;
            held.since = Instant::now();
        }
    }

    /// A request has begun; it ends when what is returned is dropped.
    pub(crate) fn asks(&self) -> Asking {
        self.turns(true);
        Asking(self.clone())
    }
}

/// A request under way, or its answer.
#[derive(Debug)]
pub(crate) struct Asking(Visitor);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.turns(false);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    const LIMITS: Limits = Limits {
        strangers: 3,
        known: 2,
    };

    #[test]
    fn places_leave_files_for_everything_else() {
        for (files, strangers, known) in [
            (1_048_576, 128, 256),
            (1_024, 128, 256),
            (256, 32, 64),
            (64, 8, 16),
            (0, 8, 16),
        ] {
            assert_eq!(Limits::within(files), Limits { strangers, known }, "{files}");
        }
    }

    fn must_go(places: &[&Place]) -> Vec<bool> {
        places.iter().map(|place| place.go.is_cancelled()).collect()
    }

    async fn pass() {
        advance(Duration::from_millis(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_silent_one_goes_when_strangers_are_too_many() {
        let places = Places::new(LIMITS);
        let first = places.take();
        pass().await;
        let second = places.take();
        pass().await;
        // It is not the longest silent one any more.
        let asking = first.visitor().asks();
        pass().await;
        let third = places.take();
        assert_eq!(must_go(&[&first, &second, &third]), [false; 3]);
        pass().await;
        let fourth = places.take();
        assert_eq!(
            must_go(&[&first, &second, &third, &fourth]),
            [false, true, false, false]
        );
        drop(asking);
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_who_dawdles_over_a_request_goes_too() {
        let places = Places::new(LIMITS);
        let dawdlers: Vec<Place> = (0..3).map(|_| places.take()).collect();
        let asking: Vec<Asking> = dawdlers.iter().map(|place| place.visitor().asks()).collect();
        pass().await;
        let newcomer = places.take();
        assert!(dawdlers[0].go.is_cancelled() && !newcomer.go.is_cancelled());
        drop(asking);
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_take_no_place_of_those_who_are_known() {
        let places = Places::new(LIMITS);
        let known = places.take();
        known.visitor().is_known_now();
        pass().await;
        let strangers: Vec<Place> = (0..100).map(|_| places.take()).collect();
        assert!(!known.go.is_cancelled());
        let staying = strangers.iter().filter(|place| !place.go.is_cancelled());
        assert_eq!(staying.count(), 3);
        assert!(!strangers[99].go.is_cancelled(), "the newcomer is always heard");
    }

    #[tokio::test(start_paused = true)]
    async fn of_the_known_ones_the_longest_idle_goes_and_nobody_who_is_served() {
        let places = Places::new(LIMITS);
        let [served, idle, next] = std::array::from_fn(|_| places.take());
        let _stream = served.visitor().asks();
        served.visitor().is_known_now();
        pass().await;
        idle.visitor().is_known_now();
        pass().await;
        next.visitor().is_known_now();
        assert_eq!(must_go(&[&served, &idle, &next]), [false, true, false]);
        let _another = next.visitor().asks();
        let last = places.take();
        last.visitor().is_known_now();
        assert_eq!(must_go(&[&served, &next, &last]), [false; 3]);
        assert!(!last.visitor().read(|held| held.is_known).unwrap());
    }

    #[test]
    fn a_place_that_was_given_back_is_free() {
        let places = Places::new(LIMITS);
        for _ in 0..10 {
            let visitor = places.take().visitor().clone();
            // It is gone; what it still says changes nothing.
            visitor.is_known_now();
            drop(visitor.asks());
        }
        assert!(places.table().held.is_empty());
    }

    #[test]
    fn where_the_system_has_nothing_left_strangers_go_before_idle_ones() {
        let places = Places::new(LIMITS);
        let [busy, idle, stranger] = std::array::from_fn(|_| places.take());
        let _asking = busy.visitor().asks();
        busy.visitor().is_known_now();
        idle.visitor().is_known_now();
        for expected in [[false, false, true], [false, true, true], [false, true, true]] {
            places.spare_one();
            assert_eq!(must_go(&[&busy, &idle, &stranger]), expected);
        }
    }
}
