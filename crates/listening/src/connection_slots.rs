//! Limits the connections of a program, and decides which one is closed when there are too many. A peer that has shown a key,
//! a session or a code is known; all others are strangers, with slots of their own, so that no number of them keeps the known
//! ones out. When the strangers' slots are taken, the one that has been in one state longest is closed, and the new one is
//! always accepted: an honest peer is known, or answered, long before that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::local_socket::LocalCaller;

/// How many connections there may be at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of whoever has not shown anything yet.
    pub strangers: usize,
    /// Of those who have.
    pub known: usize,
}

impl Default for Limits {
    /// Together far below the files that this process may have open: of 1,024 of them 384 are slots.
    fn default() -> Self {
        Self::within(files_allowed(), 128, 256)
    }
}

impl Limits {
    /// Of a server that programs of a whole desk stay connected with, and come back to in one moment.
    pub fn of_many() -> Self {
        Self::of_many_within(files_allowed())
    }

    /// Two listeners have as many each, and the files that they leave are for the database and what else is open.
    fn of_many_within(files: u64) -> Self {
        const STRANGERS: u64 = 2_048;
        let strangers = (files / 8).clamp(8, STRANGERS);
        let left = (files / 8).min(256);
        let known = (files / 2).saturating_sub(strangers + left).clamp(16, 8_192);
        let slots = |count: u64| usize::try_from(count).unwrap_or_default();
        Self {
            strangers: slots(strangers),
            known: slots(known),
        }
    }

    /// Where a process may have so many files open, and no more than so many.
    fn within(files: u64, strangers: u64, known: u64) -> Self {
        let slots = |part: u64, fewest: u64, most: u64| {
            usize::try_from((files / part).clamp(fewest, most)).unwrap_or_default()
        };
        Self {
            strangers: slots(8, 8, strangers),
            known: slots(4, 16, known),
        }
    }
}

/// Lets this process have as many files open as it may be let, up to 65,536: mostly it begins with a lower limit, for old programs' sake.
/// Not to be let is no fault: there are fewer connections then.
#[cfg(unix)]
pub fn allow_many_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    const ENOUGH: u64 = 65_536;
    if let Ok((now, most)) = getrlimit(Resource::RLIMIT_NOFILE)
        && now < most.min(ENOUGH)
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, most.min(ENOUGH), most)
    {
        tracing::debug!(%error, "the limit of open files stays as it is");
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

/// The slots of one program, at however many addresses it listens.
#[derive(Debug, Clone)]
pub struct ConnectionSlots(Arc<Slots>);

#[derive(Debug)]
struct Slots {
    began: Instant,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    limits: Limits,
    next: u64,
    held: HashMap<u64, Held>,
    /// How many of `held` are known.
    known: usize,
}

#[derive(Debug)]
struct Held {
    peer: Arc<State>,
    go: CancellationToken,
}

/// How it stands with one connection. Its requests change this without the table's lock, which all connections share.
#[derive(Debug, Default)]
struct State {
    /// Changed under the table's lock, which counts these.
    is_known: AtomicBool,
    /// A request is under way, or its answer.
    is_busy: AtomicBool,
    has_asked: AtomicBool,
    /// Of what it does now, or does not: microseconds from when the slots began.
    since: AtomicU64,
}

impl State {
    fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Relaxed)
    }

    fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }
}

impl Default for ConnectionSlots {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl ConnectionSlots {
    /// All of them free.
    pub fn new(limits: Limits) -> Self {
        let table = Table {
            limits,
            next: 0,
            held: HashMap::new(),
            known: 0,
        };
        Self(Arc::new(Slots {
            began: Instant::now(),
            table: Mutex::new(table),
        }))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A slot for a new connection over the network.
    pub(crate) fn take(&self) -> ConnectionSlot {
        self.take_for(None)
    }

    /// A slot for a new connection, with who made it where the kernel says so. Another one may be closed for it.
    pub(crate) fn take_for(&self, caller: Option<LocalCaller>) -> ConnectionSlot {
        let mut table = self.table();
        while table.strangers() >= table.limits.strangers && table.close_oldest(|peer| !peer.is_known()) {}
        let id = table.next;
        table.next += 1;
        let go = CancellationToken::new();
        let state = Arc::new(State {
            since: self.now().into(),
            ..State::default()
        });
        let held = Held {
            peer: Arc::clone(&state),
            go: go.clone(),
        };
        table.held.insert(id, held);
        drop(table);
        let peer = Peer {
            id,
            state,
            slots: self.clone(),
            caller,
        };
        ConnectionSlot { peer, go }
    }

    /// Closes a connection that can be spared, because the system has no file left for a new one.
    pub(crate) fn close_one(&self) {
        let mut table = self.table();
        if !table.close_oldest(|peer| !peer.is_known()) {
            table.close_oldest(|peer| !peer.is_busy());
        }
    }
}

impl Table {
    fn strangers(&self) -> usize {
        self.held.len() - self.known
    }

    fn remove(&mut self, id: u64) -> Option<Held> {
        let held = self.held.remove(&id)?;
        self.known -= usize::from(held.peer.is_known());
        Some(held)
    }

    /// Closes the one that has been in one state longest, of those that may be closed; whether there was one.
    fn close_oldest(&mut self, may_close: impl Fn(&State) -> bool) -> bool {
        let candidates = self.held.iter().filter(|(_, held)| may_close(&held.peer));
        // Who came first goes first, where the clock cannot tell them apart.
        let oldest = candidates.min_by_key(|(id, held)| (held.peer.since(), **id));
        let Some(id) = oldest.map(|(id, _)| *id) else {
            return false;
        };
        if let Some(held) = self.remove(id) {
            held.go.cancel();
        }
        true
    }
}

/// One connection's slot, until it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    peer: Peer,
    go: CancellationToken,
}

impl ConnectionSlot {
    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Returns when this connection is to be closed.
    pub(crate) async fn is_closed(&self) {
        self.go.cancelled().await;
    }

    /// Whether the head of a request has come.
    pub(crate) fn has_asked(&self) -> bool {
        self.peer.state.has_asked.load(Ordering::Relaxed)
    }

    /// How long it has been asked for nothing; no time at all while it is answered.
    pub(crate) fn idle_for(&self) -> Duration {
        let state = &self.peer.state;
        if state.is_busy() {
            return Duration::ZERO;
        }
        Duration::from_micros(self.peer.slots.now().saturating_sub(state.since()))
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.peer.slots.table().remove(self.peer.id);
    }
}

/// Whoever sends a request: its connection. Every request has it among its extensions.
#[derive(Debug, Clone)]
pub struct Peer {
    id: u64,
    state: Arc<State>,
    slots: ConnectionSlots,
    caller: Option<LocalCaller>,
}

impl Peer {
    /// Who it is, by the kernel's word: at a local socket only.
    pub fn caller(&self) -> Option<&LocalCaller> {
        self.caller.as_ref()
    }

    /// Takes note that this one has shown who it is: it takes a slot among the known ones. Where these are all in use it stays
    /// where it is, and is served all the same.
    pub fn is_known_now(&self) {
        if self.state.is_known() {
            return;
        }
        let mut table = self.slots.table();
        if !table.held.contains_key(&self.id) {
            return;
        }
        let is_full = |table: &Table| table.known >= table.limits.known;
        while is_full(&table) && table.close_oldest(|peer| peer.is_known() && !peer.is_busy()) {}
        // Another request of the same connection may have been here before.
        if !is_full(&table) && !self.state.is_known.swap(true, Ordering::Relaxed) {
            table.known += 1;
        }
    }

    fn turns(&self, is_busy: bool) {
        let state = &self.state;
        state.is_busy.store(is_busy, Ordering::Relaxed);
        state.has_asked.store(true, Ordering::Relaxed);
        state.since.store(self.slots.now(), Ordering::Relaxed);
    }

    /// A request has begun; it ends when what is returned is dropped.
    pub(crate) fn asks(&self) -> Asking {
        self.turns(true);
        Asking(self.clone())
    }
}

/// A request under way, or its answer.
#[derive(Debug)]
pub(crate) struct Asking(Peer);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.turns(false);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const LIMITS: Limits = Limits {
        strangers: 3,
        known: 2,
    };

    #[test]
    fn places_leave_files_for_everything_else() {
        for (files, few, many) in [
            (1_048_576, (128, 256), (2_048, 8_192)),
            (32_768, (128, 256), (2_048, 8_192)),
            (20_000, (128, 256), (2_048, 7_696)),
            (4_096, (128, 256), (512, 1_280)),
            (1_024, (128, 256), (128, 256)),
            (256, (32, 64), (32, 64)),
            (64, (8, 16), (8, 16)),
            (0, (8, 16), (8, 16)),
        ] {
            let pair = |limits: Limits| (limits.strangers, limits.known);
            assert_eq!(pair(Limits::within(files, 128, 256)), few, "{files}");
            assert_eq!(pair(Limits::of_many_within(files)), many, "{files}");
        }
    }

    fn are_closed(slots: &[&ConnectionSlot]) -> Vec<bool> {
        slots.iter().map(|slot| slot.go.is_cancelled()).collect()
    }

    async fn pass() {
        advance(Duration::from_millis(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_silent_one_goes_when_strangers_are_too_many() {
        let slots = ConnectionSlots::new(LIMITS);
        let first = slots.take();
        pass().await;
        let second = slots.take();
        pass().await;
        // It is not the longest silent one any more.
        let asking = first.peer().asks();
        pass().await;
        let third = slots.take();
        assert_eq!(are_closed(&[&first, &second, &third]), [false; 3]);
        pass().await;
        let fourth = slots.take();
        assert_eq!(
            are_closed(&[&first, &second, &third, &fourth]),
            [false, true, false, false]
        );
        drop(asking);
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_who_dawdles_over_a_request_goes_too() {
        let slots = ConnectionSlots::new(LIMITS);
        let dawdlers: Vec<ConnectionSlot> = (0..3).map(|_| slots.take()).collect();
        let asking: Vec<Asking> = dawdlers.iter().map(|slot| slot.peer().asks()).collect();
        pass().await;
        let newcomer = slots.take();
        assert!(dawdlers[0].go.is_cancelled() && !newcomer.go.is_cancelled());
        drop(asking);
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_take_no_place_of_those_who_are_known() {
        let slots = ConnectionSlots::new(LIMITS);
        let known = slots.take();
        known.peer().is_known_now();
        pass().await;
        let strangers: Vec<ConnectionSlot> = (0..100).map(|_| slots.take()).collect();
        assert!(!known.go.is_cancelled());
        let staying = strangers.iter().filter(|slot| !slot.go.is_cancelled());
        assert_eq!(staying.count(), 3);
        assert!(!strangers[99].go.is_cancelled(), "the newcomer is always heard");
    }

    #[tokio::test(start_paused = true)]
    async fn of_the_known_ones_the_longest_idle_goes_and_nobody_who_is_served() {
        let slots = ConnectionSlots::new(LIMITS);
        let [served, idle, next] = std::array::from_fn(|_| slots.take());
        let _stream = served.peer().asks();
        served.peer().is_known_now();
        pass().await;
        idle.peer().is_known_now();
        pass().await;
        next.peer().is_known_now();
        assert_eq!(are_closed(&[&served, &idle, &next]), [false, true, false]);
        let _another = next.peer().asks();
        let last = slots.take();
        last.peer().is_known_now();
        assert_eq!(are_closed(&[&served, &next, &last]), [false; 3]);
        assert!(!last.peer().state.is_known());
    }

    #[test]
    fn a_place_that_was_given_back_is_free() {
        let slots = ConnectionSlots::new(LIMITS);
        for _ in 0..10 {
            let peer = slots.take().peer().clone();
            // It is gone; what it still says changes nothing.
            peer.is_known_now();
            drop(peer.asks());
        }
        assert!(slots.table().held.is_empty());
    }

    #[test]
    fn where_the_system_has_nothing_left_strangers_go_before_idle_ones() {
        let slots = ConnectionSlots::new(LIMITS);
        let [busy, idle, stranger] = std::array::from_fn(|_| slots.take());
        let _asking = busy.peer().asks();
        busy.peer().is_known_now();
        idle.peer().is_known_now();
        for expected in [[false, false, true], [false, true, true], [false, true, true]] {
            slots.close_one();
            assert_eq!(are_closed(&[&busy, &idle, &stranger]), expected);
        }
    }
}
