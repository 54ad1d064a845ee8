//! Tables of single moves, and random orders of everything that can become known.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use rstest::rstest;

use super::*;

const DAY: Duration = Duration::from_hours(24);

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn token(generation: u32, valid_until: u64) -> Token {
    let value = format!("token-{generation}-{valid_until}");
    Token::new(value, Generation::new(generation), at(valid_until))
}

fn answer(generation: u32, valid_until: u64) -> Answer {
    let tag = format!("\"{generation}\"");
    Answer::Token(token(generation, valid_until), Some(tag))
}

fn no_token(code: &str) -> Error {
    Error::NoToken {
        api: "PRIMARY".into(),
        code: code.into(),
        words: "words of the server".into(),
        retry_at: None,
    }
}

fn holding(generation: u32) -> Memory {
    let mut memory = Memory::new("PRIMARY");
    let (asked, _) = memory.epoch();
    assert_eq!(
        memory.take(asked, answer(generation, 1_000), at(0)),
        Landed::Taken
    );
    memory
}

fn given(memory: &Memory, now: u64) -> Option<u32> {
    let look = memory.look(Duration::ZERO, at(now))?;
    look.ok().map(|token| token.generation().get())
}

/// Nothing while nothing is known, and no generation while there is no token.
fn told(memory: &Memory) -> Vec<Option<u32>> {
    let told = memory.told().into_iter();
    told.map(|told| told.map(|(generation, _)| generation.get()))
        .collect()
}

fn ask(memory: &mut Memory, answer: Answer) -> Landed {
    let (asked, _) = memory.epoch();
    memory.take(asked, answer, at(0))
}

#[rstest]
#[case::a_newer_one(4, 1_000, 4)]
#[case::the_same_generation_again(3, 1_000, 3)]
#[case::an_older_one(2, 1_000, 3)]
#[case::an_older_number_of_a_later_day(1, 2_000, 1)]
fn an_older_token_never_follows(#[case] generation: u32, #[case] valid_until: u64, #[case] given_then: u32) {
    let mut memory = holding(3);
    assert_eq!(ask(&mut memory, answer(generation, valid_until)), Landed::Taken);
    assert_eq!(given(&memory, 0), Some(given_then));
}

#[rstest]
#[case::human_needed(Answer::None(no_token("human_needed")), None)]
#[case::cooling_down(Answer::None(no_token("cooling_down")), None)]
#[case::not_known(Answer::None(no_token("token_unknown")), None)]
#[case::refused(Answer::Refused(Error::Refused { words: "revoked".into() }), None)]
#[case::trouble(Answer::Trouble(Error::unreachable("503")), Some(3))]
#[case::still_that(Answer::StillThat, Some(3))]
fn what_an_answer_does_to_a_held_token(#[case] answer: Answer, #[case] left: Option<u32>) {
    let mut memory = holding(3);
    ask(&mut memory, answer);
    assert_eq!(given(&memory, 0), left);
    assert_eq!(told(&memory), [left]);
}

#[rstest]
#[case::human_needed(Answer::None(no_token("human_needed")), true, true)]
#[case::refused(Answer::Refused(Error::Refused { words: "revoked".into() }), true, true)]
#[case::not_known_yet(Answer::None(no_token("token_unknown")), false, true)]
#[case::trouble(Answer::Trouble(Error::unreachable("503")), false, false)]
fn the_first_answer_is_one_that_says_why_there_is_no_token(
    #[case] answer: Answer,
    #[case] is_one: bool,
    #[case] is_told: bool,
) {
    let mut memory = Memory::new("PRIMARY");
    assert!(memory.look(Duration::ZERO, at(0)).is_none());
    ask(&mut memory, answer);
    assert_eq!(memory.look(Duration::ZERO, at(0)).is_some(), is_one);
    assert_eq!(told(&memory).as_slice(), if is_told { &[None][..] } else { &[] });
}

#[test]
fn an_answer_that_was_under_way_while_something_became_known_does_not_count() {
    for later in [Memory::is_gone, |memory: &mut Memory| {
        memory.is_dead(Generation::new(3));
    }] {
        let mut memory = holding(3);
        let (asked, tag) = memory.epoch();
        assert_eq!(tag.as_deref(), Some("\"3\""));
        later(&mut memory);
        assert_eq!(memory.take(asked, answer(4, 1_000), at(0)), Landed::Stale);
        assert_eq!(memory.take(asked, Answer::StillThat, at(0)), Landed::Stale);
        assert_eq!(given(&memory, 0), None);
        assert_eq!(
            memory.epoch().1,
            None,
            "nothing is held that the server could confirm"
        );
    }
}

#[test]
fn a_late_no_does_not_take_a_new_token_away() {
    let mut memory = holding(3);
    let (asked, _) = memory.epoch();
    ask(&mut memory, answer(4, 1_000));
    let late = memory.take(asked, Answer::None(no_token("human_needed")), at(0));
    assert_eq!((late, given(&memory, 0)), (Landed::Stale, Some(4)));
}

#[test]
fn a_dead_generation_never_comes_back_and_a_newer_one_stays() {
    let mut memory = holding(3);
    memory.is_dead(Generation::new(2));
    assert_eq!(given(&memory, 0), Some(3), "an older report");
    memory.is_dead(Generation::new(3));
    assert_eq!((given(&memory, 0), told(&memory)), (None, vec![None]));
    assert_eq!(memory.verdict(Generation::new(3), at(0)), Some(Verdict::Dead));
    ask(&mut memory, answer(3, 1_000));
    assert_eq!(given(&memory, 0), None);
    ask(&mut memory, answer(4, 1_000));
    assert_eq!(given(&memory, 0), Some(4));
    assert_eq!(memory.verdict(Generation::new(3), at(0)), Some(Verdict::Newer));
    assert_eq!(memory.verdict(Generation::new(4), at(0)), None);
    assert_eq!(
        memory.verdict(Generation::new(3), at(1_000)),
        None,
        "the newer one died"
    );
}

#[test]
fn a_token_dies_by_the_clock_whatever_is_known() {
    let mut memory = holding(3);
    memory.is_out_of_reach(Error::unreachable("connection refused"));
    assert_eq!(given(&memory, 999), Some(3));
    assert_eq!(told(&memory), [Some(3)]);
    assert_eq!(
        memory.look(Duration::ZERO, at(1_000)).unwrap().unwrap_err(),
        Error::unreachable("connection refused")
    );
    memory.it_is(at(1_000));
    assert_eq!(told(&memory), [None]);
    memory.it_is(at(10));
    assert_eq!(told(&memory), [Some(3)], "the clock was set back");
}

#[rstest]
#[case(99, true)]
#[case(100, true)]
#[case(101, false)]
fn a_token_that_dies_too_soon_is_refused(#[case] min_valid: u64, #[case] is_given: bool) {
    let memory = holding(3);
    let looked = memory.look(Duration::from_secs(min_valid), at(900)).unwrap();
    assert_eq!(looked.is_ok(), is_given);
    if let Err(error) = looked {
        assert!(
            error.to_string().contains("100 more seconds, fewer than the 101"),
            "{error}"
        );
    }
}

/// Everything that can become known.
#[derive(Debug, Clone)]
enum Event {
    Answer(u32, u64),
    Late(u32, u64),
    StillThat,
    None,
    Gone,
    Refused,
    OutOfReach,
    Dead(u32),
    Time(u64),
}

fn event() -> impl Strategy<Value = Event> {
    // Each generation belongs to a day, which ends with it.
    let numbered =
        (1_u32..12).prop_map(|generation| (generation, u64::from(generation / 3 + 1) * DAY.as_secs()));
    prop_oneof![
        4 => numbered.clone().prop_map(|(generation, until)| Event::Answer(generation, until)),
        2 => numbered.prop_map(|(generation, until)| Event::Late(generation, until)),
        1 => Just(Event::StillThat),
        1 => Just(Event::None),
        1 => Just(Event::Gone),
        1 => Just(Event::Refused),
        1 => Just(Event::OutOfReach),
        2 => (1_u32..12).prop_map(Event::Dead),
        2 => (0_u64..5 * DAY.as_secs()).prop_map(Event::Time),
    ]
}

proptest! {
    #[test]
    fn nothing_dead_and_nothing_older_is_ever_given(events in prop::collection::vec(event(), 1..60)) {
        let mut memory = Memory::new("PRIMARY");
        let (mut now, mut newest) = (0, 0);
        let mut dead = Vec::new();
        let (mut asked_before, _) = memory.epoch();
        for event in events {
            let (asked, _) = memory.epoch();
            match event {
                Event::Answer(generation, until) => { memory.take(asked, answer(generation, until), at(now)); }
                Event::Late(generation, until) => { memory.take(asked_before, answer(generation, until), at(now)); }
                Event::StillThat => { memory.take(asked, Answer::StillThat, at(now)); }
                Event::None => { memory.take(asked, Answer::None(no_token("human_needed")), at(now)); }
                Event::Gone => memory.is_gone(),
                Event::Refused => memory.is_refused(Error::Refused { words: String::new() }),
                Event::OutOfReach => memory.is_out_of_reach(Error::unreachable("away")),
                Event::Dead(generation) => {
                    memory.is_dead(Generation::new(generation));
                    dead.push(generation);
                }
                Event::Time(time) => now = time,
            }
            asked_before = asked;
            memory.it_is(at(now));
            let given = memory.look(Duration::ZERO, at(now)).and_then(Result::ok);
            if let Some(token) = &given {
                let generation = token.generation().get();
                prop_assert!(token.valid_until() > at(now), "dead by time");
                prop_assert!(!dead.contains(&generation), "dead by Upstox's word");
                prop_assert!(generation >= newest, "older than one that was given");
                newest = generation;
            }
            let told = told(&memory).into_iter().flatten().next();
            prop_assert_eq!(told, given.map(|token| token.generation().get()), "changes() and current() differ");
        }
    }
}
