//! What gets in, what stays out, what readers see and what subscribers hear.

use chrono::TimeDelta;
use rstest::rstest;
use vega_domain::failure::FailureReason;
use vega_domain::secret::TokenAnswer;
use vega_domain::token::{CheckResult, LastCheck};

use super::*;
use crate::test_builders::{TestClock, api, at, stored};

fn registry() -> HotTokenRegistry {
    HotTokenRegistry::new(TestClock::at(at(0)))
}

fn generation(number: u32) -> Generation {
    Generation::new(number).unwrap()
}

fn unverified(number: u32) -> StoredToken {
    let mut token = stored("PRIMARY", number);
    token.verified_at = None;
    token
}

fn checked(number: u32, result: CheckResult) -> StoredToken {
    let mut token = stored("PRIMARY", number);
    token.apply(LastCheck { at: at(0), result });
    token
}

fn dead(number: u32) -> StoredToken {
    checked(number, CheckResult::Invalid)
}

fn strangers(number: u32) -> StoredToken {
    checked(number, CheckResult::Unknown(FailureReason::WrongUser))
}

fn dying(number: u32) -> StoredToken {
    let mut token = stored("PRIMARY", number);
    token.valid_until = at(60);
    token
}

/// Which generation readers get.
fn served(registry: &HotTokenRegistry) -> Option<u32> {
    registry.get(&api("PRIMARY")).map(|token| token.generation.get())
}

fn catch_up(registry: &HotTokenRegistry, stored: Option<StoredToken>) -> Reconciled {
    registry.reconcile(&registry.mark(), stored.into_iter().collect())
}

#[rstest]
#[case::first(None, stored("PRIMARY", 1), true, Some(1))]
#[case::newer(Some(stored("PRIMARY", 1)), stored("PRIMARY", 2), true, Some(2))]
#[case::same(Some(stored("PRIMARY", 2)), stored("PRIMARY", 2), true, Some(2))]
#[case::older(Some(stored("PRIMARY", 2)), stored("PRIMARY", 1), false, Some(2))]
#[case::unverified(None, unverified(1), false, None)]
#[case::last_minute(None, dying(1), false, None)]
#[case::dead(None, dead(1), false, None)]
#[case::strangers(None, strangers(1), false, None)]
#[case::superseded_by_an_unverified_one(Some(stored("PRIMARY", 1)), unverified(2), false, None)]
#[case::older_than_an_unverified_one(Some(unverified(2)), stored("PRIMARY", 1), false, None)]
#[case::verified_at_last(Some(unverified(2)), stored("PRIMARY", 2), true, Some(2))]
#[case::late_news_of_a_dead_one(Some(dead(2)), stored("PRIMARY", 2), false, None)]
#[case::older_than_a_dead_one(Some(dead(2)), stored("PRIMARY", 1), false, None)]
#[case::newer_than_a_dead_one(Some(dead(2)), stored("PRIMARY", 3), true, Some(3))]
fn never_6_a_token_served_that_is_not_servable_or_older_than_the_newest(
    #[case] before: Option<StoredToken>,
    #[case] token: StoredToken,
    #[case] published: bool,
    #[case] expected: Option<u32>,
) {
    let registry = registry();
    if let Some(before) = before {
        registry.publish(&before);
    }
    assert_eq!(registry.publish(&token), published);
    assert_eq!(served(&registry), expected);
}

#[rstest]
#[case::the_one(2, Some(2), None, None)]
#[case::a_newer_one_stays(2, Some(1), Some(2), Some(2))]
#[case::it_does_not_come_back(2, Some(2), None, Some(2))]
#[case::nor_an_older_one(2, Some(3), None, Some(2))]
fn what_was_removed_stays_out(
    #[case] held: u32,
    #[case] removed: Option<u32>,
    #[case] expected: Option<u32>,
    #[case] published_late: Option<u32>,
) {
    let registry = registry();
    registry.publish(&stored("PRIMARY", held));
    if let Some(removed) = removed {
        registry.remove(&api("PRIMARY"), generation(removed));
    }
    if let Some(late) = published_late {
        registry.publish(&stored("PRIMARY", late));
    }
    assert_eq!(served(&registry), expected);
}

#[test]
fn what_was_refused_before_it_came_stays_out() {
    let registry = registry();
    registry.remove(&api("PRIMARY"), generation(1));
    assert!(!registry.publish(&stored("PRIMARY", 1)));
    assert!(registry.publish(&stored("PRIMARY", 2)));
}

#[test]
fn never_6_a_token_served_in_its_last_minute() {
    let clock = TestClock::at(at(0));
    let registry = HotTokenRegistry::new(clock.clone());
    let token = stored("PRIMARY", 1);
    registry.publish(&token);
    clock.set(token.valid_until - TimeDelta::seconds(61));
    assert_eq!(served(&registry), Some(1));
    clock.set(token.valid_until - TimeDelta::seconds(60));
    assert_eq!(served(&registry), None);
}

#[rstest]
#[case::appears(None, Some(stored("PRIMARY", 1)), Some(1))]
#[case::replaced(Some(stored("PRIMARY", 1)), Some(stored("PRIMARY", 2)), Some(2))]
#[case::replaced_by_an_unverified_one(Some(stored("PRIMARY", 1)), Some(unverified(2)), None)]
#[case::rejected(Some(stored("PRIMARY", 1)), Some(dead(1)), None)]
#[case::strangers(Some(stored("PRIMARY", 1)), Some(strangers(1)), None)]
#[case::not_a_strangers_after_all(Some(strangers(1)), Some(stored("PRIMARY", 1)), Some(1))]
#[case::expired(Some(stored("PRIMARY", 1)), Some(dying(1)), None)]
#[case::removed(Some(stored("PRIMARY", 1)), None, None)]
#[case::a_backup_has_an_older_one(Some(stored("PRIMARY", 2)), Some(stored("PRIMARY", 1)), None)]
#[case::nothing_anywhere(None, None, None)]
fn the_registry_becomes_what_the_database_is(
    #[case] held: Option<StoredToken>,
    #[case] stored: Option<StoredToken>,
    #[case] expected: Option<u32>,
) {
    let registry = registry();
    if let Some(held) = held {
        registry.publish(&held);
    }
    assert_eq!(catch_up(&registry, stored), Reconciled::Wholly);
    assert_eq!(served(&registry), expected);
}

/// The last resort when database and spool both fail.
#[rstest]
#[case::the_database_has_none(None, Some(2))]
#[case::the_database_has_the_one_before(Some(stored("PRIMARY", 1)), Some(2))]
#[case::stored_at_last(Some(stored("PRIMARY", 2)), Some(2))]
#[case::rejected(Some(dead(2)), None)]
#[case::replaced(Some(stored("PRIMARY", 3)), Some(3))]
fn a_token_that_nothing_durable_took_stays_as_long_as_nothing_newer_is_known(
    #[case] stored_now: Option<StoredToken>,
    #[case] expected: Option<u32>,
) {
    let registry = registry();
    assert!(registry.publish_unstored(&stored("PRIMARY", 2)));
    catch_up(&registry, stored_now);
    assert_eq!(served(&registry), expected);
}

#[test]
fn an_unstored_token_dies_and_is_rejected_like_any_other() {
    let clock = TestClock::at(at(0));
    let registry = HotTokenRegistry::new(clock.clone());
    let token = stored("PRIMARY", 1);
    assert!(!registry.publish_unstored(&unverified(1)));
    assert!(registry.publish_unstored(&token));
    clock.set(token.valid_until - TimeDelta::seconds(60));
    registry.expire();
    clock.set(at(0));
    assert_eq!(served(&registry), None);
    assert!(registry.publish_unstored(&token));
    registry.remove(&api("PRIMARY"), generation(1));
    assert_eq!(served(&registry), None);
}

#[rstest]
#[case::published(|registry: &HotTokenRegistry| { registry.publish(&stored("PRIMARY", 2)); }, Some(2))]
#[case::rejected(|registry: &HotTokenRegistry| registry.remove(&api("PRIMARY"), generation(1)), None)]
fn what_happens_while_the_tokens_are_loaded_is_not_undone(
    #[case] meanwhile: fn(&HotTokenRegistry),
    #[case] expected: Option<u32>,
) {
    let registry = registry();
    registry.publish(&stored("PRIMARY", 1));
    let mark = registry.mark();
    let loaded = vec![stored("PRIMARY", 1), stored("WEBSOCKET1", 1)];
    meanwhile(&registry);
    assert_eq!(registry.reconcile(&mark, loaded), Reconciled::ButForLaterChanges);
    assert_eq!(served(&registry), expected);
    assert!(
        registry.get(&api("WEBSOCKET1")).is_some(),
        "the others are brought up to date"
    );
}

#[test]
fn a_clock_that_was_set_back_brings_a_token_back_from_the_database() {
    let clock = TestClock::at(at(0));
    let registry = HotTokenRegistry::new(clock.clone());
    let token = stored("PRIMARY", 1);
    registry.publish(&token);
    clock.set(token.valid_until);
    registry.expire();
    clock.set(at(0));
    assert_eq!(served(&registry), None, "until the database was asked");
    catch_up(&registry, Some(token));
    assert_eq!(served(&registry), Some(1));
}

/// Each line: what happens, and whether readers get something else since.
#[test]
fn subscribers_hear_of_what_readers_see_and_of_nothing_else() {
    let clock = TestClock::at(at(0));
    let registry = HotTokenRegistry::new(clock.clone());
    let mut heard = registry.subscribe();
    let last = stored("PRIMARY", 3);
    let last_minute = last.valid_until - TimeDelta::seconds(60);
    let mut step = |what: &str, is_heard: bool, happens: &dyn Fn()| {
        happens();
        assert_eq!(heard.has_changed().unwrap(), is_heard, "{what}");
        heard.mark_unchanged();
    };
    let put = |token: StoredToken| {
        registry.publish(&token);
    };
    let mark = || registry.mark();
    step("an unverified token", false, &|| put(unverified(1)));
    step("its verification", true, &|| put(stored("PRIMARY", 1)));
    step("another check of it", false, &|| put(stored("PRIMARY", 1)));
    step("a newer one", true, &|| put(stored("PRIMARY", 2)));
    step("an older one", false, &|| put(stored("PRIMARY", 1)));
    step("a database that knows as much", false, &|| {
        registry.reconcile(&mark(), vec![stored("PRIMARY", 2)]);
    });
    step("a rejection", true, &|| {
        registry.remove(&api("PRIMARY"), generation(2));
    });
    step("the same again", false, &|| {
        registry.remove(&api("PRIMARY"), generation(2));
    });
    step("a newer one in the database", true, &|| {
        registry.reconcile(&mark(), vec![last.clone()]);
    });
    step("a look at the clock", false, &|| registry.expire());
    step("its last minute", true, &|| {
        clock.set(last_minute);
        registry.expire();
    });
    step("another look at the clock", false, &|| registry.expire());
}

/// A service makes its readers when it starts, whatever there is then.
#[test]
fn a_reader_gets_whatever_token_there_is_at_the_time() {
    let registry = registry();
    let reader = registry.reader(&api("PRIMARY"));
    let other = registry.reader(&api("WEBSOCKET1"));
    let read = || reader.read(|token| token.generation.get());
    assert_eq!(read(), None);
    registry.publish(&stored("PRIMARY", 1));
    assert_eq!(read(), Some(1));
    registry.publish(&stored("PRIMARY", 2));
    assert_eq!(read(), Some(2));
    registry.remove(&api("PRIMARY"), generation(2));
    assert_eq!(read(), None);
    catch_up(&registry, Some(stored("PRIMARY", 3)));
    assert_eq!(read(), Some(3));
    assert_eq!(served(&registry), Some(3));
    assert!(other.get().is_none());
}

/// A clock that is late, as the coarse one is where a machine stood still.
struct LateClock(Arc<TestClock>, TimeDelta);

impl Clock for LateClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }

    fn coarse_micros(&self) -> i64 {
        (self.0.now() - self.1).timestamp_micros()
    }
}

#[rstest]
#[case::on_time(TimeDelta::zero())]
#[case::by_a_tick(TimeDelta::milliseconds(4))]
#[case::by_five_seconds(TimeDelta::seconds(5))]
fn never_6_a_token_served_in_its_last_minute_by_a_late_clock(#[case] late: TimeDelta) {
    let clock = TestClock::at(at(0));
    let registry = HotTokenRegistry::new(Arc::new(LateClock(clock.clone(), late)));
    let token = stored("PRIMARY", 1);
    registry.publish(&token);
    let reader = registry.reader(&token.api);
    let last_minute = token.valid_until - TimeDelta::seconds(60);
    for (milliseconds, is_served) in [
        (-6_000, true),
        (-5_000, true),
        (-1, true),
        (0, false),
        (5_000, false),
    ] {
        clock.set(last_minute + TimeDelta::milliseconds(milliseconds));
        let by_reader = reader.get().is_some();
        assert_eq!(
            (by_reader, served(&registry).is_some()),
            (is_served, is_served),
            "{milliseconds} ms"
        );
    }
}

/// What programs are answered, and whether it was written for this read.
fn answered(registry: &HotTokenRegistry) -> Option<(String, bool)> {
    registry.read(&api("PRIMARY"), |hot| {
        let mut is_fresh = false;
        let answer = hot.answer(|token| {
            is_fresh = true;
            TokenAnswer::new(token.access_token.expose().as_bytes().to_vec())
        });
        (String::from_utf8(answer.as_ref().to_vec()).unwrap(), is_fresh)
    })
}

#[test]
fn never_6_an_answer_outlives_its_token() {
    let clock = TestClock::at(at(0));
    let registry = HotTokenRegistry::new(clock.clone());
    let is = |text: &str, is_fresh| Some((text.to_owned(), is_fresh));
    assert_eq!(answered(&registry), None);
    registry.publish(&stored("PRIMARY", 1));
    assert_eq!(answered(&registry), is("token-PRIMARY-1", true));
    assert_eq!(answered(&registry), is("token-PRIMARY-1", false), "written once");
    registry.publish(&stored("PRIMARY", 2));
    assert_eq!(
        answered(&registry),
        is("token-PRIMARY-2", true),
        "a new generation"
    );
    registry.remove(&api("PRIMARY"), generation(2));
    assert_eq!(answered(&registry), None, "refused");
    let last = stored("PRIMARY", 3);
    catch_up(&registry, Some(last.clone()));
    assert_eq!(
        answered(&registry),
        is("token-PRIMARY-3", true),
        "of another process"
    );
    clock.set(last.valid_until - TimeDelta::seconds(60));
    assert_eq!(
        answered(&registry),
        None,
        "its last minute, before anybody took it out"
    );
    clock.set(at(0));
    catch_up(&registry, None);
    assert_eq!(answered(&registry), None, "gone from the database");
}

#[test]
fn what_was_lost_with_a_server_stays_and_its_numbers_are_used_again() {
    let registry = registry();
    registry.publish(&stored("PRIMARY", 9));
    registry.publish(&stored("WEBSOCKET1", 4));
    registry.remove(&api("WEBSOCKET1"), generation(4));
    registry.publish(&stored("WEBSOCKET2", 1));
    let there = [
        stored("PRIMARY", 7),
        stored("WEBSOCKET1", 2),
        stored("WEBSOCKET2", 1),
    ];
    let kept = registry.keep_what_was_lost(&there);
    let kept: Vec<_> = kept
        .iter()
        .map(|token| (token.api.as_str(), token.generation.get()))
        .collect();
    assert_eq!(kept, [("PRIMARY", 9)]);
    registry.reconcile(&registry.mark(), there.into());
    assert_eq!(served(&registry), Some(9));
    assert!(registry.publish(&stored("WEBSOCKET1", 3)));
}

#[test]
fn a_generation_that_comes_twice_is_another_version() {
    let registry = registry();
    let version = |registry: &HotTokenRegistry| {
        registry
            .read(&api("PRIMARY"), |hot| hot.version().to_owned())
            .unwrap()
    };
    registry.publish(&stored("PRIMARY", 3));
    let first = version(&registry);
    let heard = registry.subscribe();
    registry.publish(&stored("PRIMARY", 3));
    assert_eq!(version(&registry), first);
    assert!(!heard.has_changed().unwrap());
    let mut again = stored("PRIMARY", 3);
    again.access_token = vega_domain::secret::AccessToken::new("another");
    registry.publish(&again);
    assert_ne!(version(&registry), first);
    assert!(version(&registry).starts_with("3-"));
    assert!(heard.has_changed().unwrap());
}
