//! A hot read allocates nothing. Measured by an allocator that counts, so it has a test program of its own.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its fixture should stop there"
)]

use std::hint::black_box;

use allocation_counter::measure;
use chrono::DateTime;
use rstest::rstest;
use vega_domain::expiry;
use vega_domain::ids::{AccountId, ApiName, ClientId, Generation, UserId};
use vega_domain::secret::AccessToken;
use vega_domain::token::StoredToken;
use vega_services::HotTokenRegistry;
use vega_testing::TestClock;

const READS: usize = 1_000;

fn registry_of_fifty() -> HotTokenRegistry {
    // 08:45 IST on a working day.
    let now = DateTime::from_timestamp(1_795_403_700, 0).unwrap();
    let registry = HotTokenRegistry::new(TestClock::at(now));
    for number in 0..50 {
        let token = StoredToken {
            api: ApiName::new(format!("API{number}")).unwrap(),
            account: AccountId::new("default").unwrap(),
            client_id: ClientId::new("key").unwrap(),
            user_id: UserId::new("AB1234").unwrap(),
            generation: Generation::FIRST,
            access_token: AccessToken::new("CANARY-token"),
            issued_at: now,
            valid_until: expiry::valid_until(now),
            verified_at: Some(now),
            rejected_at: None,
            last_check: None,
        };
        assert!(registry.publish(&token));
    }
    registry
}

#[rstest]
#[case::there("API17", true)]
#[case::not_there("API77", false)]
fn a_read_allocates_nothing(#[case] api: &str, #[case] is_there: bool) {
    let registry = registry_of_fifty();
    let api = ApiName::new(api).unwrap();
    // A thread's first read gets the thread its place among the readers.
    assert_eq!(registry.get(&api).is_some(), is_there);

    let reader = registry.reader(&api);

    let counted = measure(|| {
        for _ in 0..READS {
            black_box(registry.get(black_box(&api)));
            black_box(reader.get());
            black_box(reader.read(|token| token.generation));
        }
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

/// The counter counts: otherwise zero would mean nothing.
#[test]
fn a_copy_of_the_token_is_counted() {
    let registry = registry_of_fifty();
    let api = ApiName::new("API17").unwrap();
    let counted = measure(|| {
        for _ in 0..READS {
            black_box(StoredToken::clone(&registry.get(&api).unwrap()));
        }
    });
    assert!(counted.count_total >= READS as u64, "{counted:?}");
}
