//! A million reads by several threads at once, while tokens are replaced and rejected and the clock goes over 03:30.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;

use chrono::TimeDelta;
use vega_domain::expiry;
use vega_domain::ids::{AccountId, ApiName, ClientId, Generation};
use vega_domain::ports::Clock;
use vega_domain::secret::AccessToken;
use vega_domain::token::StoredToken;
use vega_services::{HotTokenRegistry, TokenReader};
use vega_testing::TestClock;

use crate::generation_fixture::{ist, user};

const READS: u64 = 1_000_000;
const READERS: u64 = 4;
const NIGHTS: u64 = 5;
/// From 03:28 to 03:32.
const SECONDS: u64 = 240;
const READS_A_SECOND: u64 = READS / NIGHTS / SECONDS;

/// What readers check each answer against. Each number is kept by the writer: what may be served is written before
/// the registry hears of it, what may not be any more after it.
struct Market {
    clock: Arc<TestClock>,
    registry: HotTokenRegistry,
    api: ApiName,
    reader: TokenReader,
    stored: AtomicU32,
    rejected: AtomicU32,
    reads: AtomicU64,
    found: AtomicU64,
    is_open: AtomicBool,
}

impl Market {
    /// Reads until there were enough and the last night is over. One reader never sees a generation, then an older one.
    fn read(&self) {
        let mut seen = 0;
        while self.reads.fetch_add(1, Ordering::Relaxed) < READS || self.is_open.load(Ordering::SeqCst) {
            let (before, rejected) = (self.clock.now(), self.rejected.load(Ordering::SeqCst));
            let by_name = || self.registry.get(&self.api);
            // Both ways see the same, in whichever order they are used.
            let is_by_name = self.reads.load(Ordering::Relaxed).is_multiple_of(2);
            let Some(token) = (if is_by_name { by_name() } else { self.reader.get() }) else {
                continue;
            };
            let generation = token.generation.get();
            assert!(token.is_servable(before), "generation {generation} is dead");
            assert!(generation > rejected, "generation {generation} was rejected");
            assert!(generation >= seen, "generation {generation} after {seen}");
            assert!(
                generation <= self.stored.load(Ordering::SeqCst),
                "generation {generation} was not stored"
            );
            assert!(
                token.access_token.expose() == format!("CANARY-{generation}"),
                "torn"
            );
            seen = generation;
            self.found.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn publish(&self, generation: u32) -> bool {
        let now = self.clock.now();
        self.registry.publish(&StoredToken {
            api: self.api.clone(),
            account: AccountId::new("default").unwrap(),
            client_id: ClientId::new("key").unwrap(),
            user_id: user("AB1234"),
            generation: Generation::new(generation).unwrap(),
            access_token: AccessToken::new(format!("CANARY-{generation}")),
            issued_at: now,
            valid_until: expiry::valid_until(now),
            verified_at: Some(now),
            rejected_at: None,
            last_check: None,
        })
    }

    /// Goes through the minutes around 03:30 of several nights, a second after every so many reads. Every second there is
    /// a newer token, and every seventh is rejected, whereupon the one before comes late. From 03:28:30 to 03:31 nobody
    /// publishes, so that the clock alone takes the token away.
    fn work(&self) {
        let mut generation = 0;
        for night in 0..NIGHTS {
            for second in 0..SECONDS {
                while self.reads.load(Ordering::Relaxed) < (night * SECONDS + second) * READS_A_SECOND {
                    thread::yield_now();
                }
                let nights = TimeDelta::days(i64::try_from(night).unwrap());
                let seconds = TimeDelta::seconds(i64::try_from(second).unwrap());
                self.clock.set(ist("2026-11-24T03:28:00") + nights + seconds);
                if (30..180).contains(&second) {
                    continue;
                }
                generation += 1;
                self.stored.store(generation, Ordering::SeqCst);
                assert!(self.publish(generation));
                if generation.is_multiple_of(7) {
                    self.registry
                        .remove(&self.api, Generation::new(generation).unwrap());
                    self.rejected.store(generation, Ordering::SeqCst);
                    assert!(!self.publish(generation - 1));
                }
            }
        }
        self.is_open.store(false, Ordering::SeqCst);
    }
}

#[test]
fn a_million_reads_across_0330_meet_no_dead_and_no_older_token() {
    let clock = TestClock::at(ist("2026-11-24T03:28:00"));
    let registry = HotTokenRegistry::new(clock.clone());
    let api = ApiName::new("PRIMARY").unwrap();
    let market = Market {
        reader: registry.reader(&api),
        registry,
        clock,
        api,
        stored: AtomicU32::new(0),
        rejected: AtomicU32::new(0),
        reads: AtomicU64::new(0),
        found: AtomicU64::new(0),
        is_open: AtomicBool::new(true),
    };
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| market.read());
        }
        scope.spawn(|| market.work());
    });
    let (reads, found) = (
        market.reads.load(Ordering::Relaxed),
        market.found.load(Ordering::Relaxed),
    );
    assert!(
        reads >= READS && found > READS / 10,
        "{found} of {reads} found a token"
    );
}
