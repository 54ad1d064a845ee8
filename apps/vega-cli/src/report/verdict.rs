//! The first line of every report: whether programs can trade with what is stored, and if not, what is missing and what
//! keeps it so. What to do about each API follows below it.

use chrono::{DateTime, TimeDelta, Utc};
use console::{Color, style};
use vega_api_types::VerdictView;
use vega_bootstrap::SigningIn;
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::Cooldown;
use vega_domain::expiry::{closed_until, day_start, in_ist, rfc3339_ist};
use vega_domain::overview::Overview;
use vega_domain::token::{ApiStatus, TokenStatus};

use crate::command_line::suggestion::some_of;

/// What the statuses come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    /// Programs get every token.
    Ready,
    /// They do, and Upstox did not confirm some of them when it was asked last.
    Unconfirmed,
    /// They do not get all.
    NotReady,
}

/// The verdict over some APIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    readiness: Readiness,
    words: String,
    /// When the first of the usable tokens dies, if all are usable.
    until: Option<DateTime<Utc>>,
    not_ready: Vec<String>,
}

impl Verdict {
    /// Over what is shown, while somebody signs in or nobody does.
    pub(crate) fn of(overview: &Overview, signing_in: &SigningIn) -> Self {
        let Overview {
            statuses,
            closed,
            now,
            ..
        } = overview;
        let usable = statuses.iter().filter(|status| status.servable);
        let until = usable.filter_map(|status| status.valid_until).min();
        let not_ready: Vec<&ApiStatus> = statuses.iter().filter(|status| !status.servable).collect();
        let unconfirmed: Vec<&ApiStatus> = statuses
            .iter()
            .filter(|status| status.servable && status.status != TokenStatus::Valid)
            .collect();
        let of = statuses.len();
        // A part must not pass for all.
        let ready = if of == overview.configured {
            "Ready".to_owned()
        } else {
            let all: Vec<&ApiStatus> = statuses.iter().collect();
            format!("{} ready", names(&all))
        };
        let (readiness, words) = match (&*not_ready, until) {
            ([], None) => (Readiness::NotReady, "No API is configured.".to_owned()),
            ([], Some(until)) if unconfirmed.is_empty() => (
                Readiness::Ready,
                format!("{ready} until {}.", shown(until, now.at)),
            ),
            ([], Some(until)) => (
                Readiness::Unconfirmed,
                format!(
                    "{ready} until {}, but Upstox did not confirm {} of {of} since: {}.",
                    shown(until, now.at),
                    unconfirmed.len(),
                    names(&unconfirmed)
                ),
            ),
            (missing, until) => {
                let others = until.map_or(String::new(), |until| {
                    format!(" The others are ready until {}.", shown(until, now.at))
                });
                let way = way_out(missing, closed, signing_in, now);
                (
                    Readiness::NotReady,
                    format!("{}.{others}{way}", lacking(missing, of)),
                )
            }
        };
        Self {
            readiness,
            words,
            until: until.filter(|_| not_ready.is_empty()),
            not_ready: not_ready.iter().map(|status| status.api.to_string()).collect(),
        }
    }

    /// The first line, broken between words where a terminal `width` columns wide lacks the room.
    pub(crate) fn headline(&self, width: u16, colours: bool) -> String {
        let colour = match self.readiness {
            Readiness::Ready => Color::Green,
            Readiness::Unconfirmed => Color::Yellow,
            Readiness::NotReady => Color::Red,
        };
        let line = style(wrapped(&self.words, usize::from(width))).fg(colour).bold();
        line.force_styling(colours).to_string()
    }

    /// The same for programs.
    pub(crate) fn view(&self) -> VerdictView {
        VerdictView {
            ready: self.readiness != Readiness::NotReady,
            ready_until: self.until.map(rfc3339_ist),
            ready_until_unix: self.until.map(|until| until.timestamp()),
            not_ready: self.not_ready.clone(),
            words: self.words.clone(),
        }
    }
}

/// `2 of 6 missing: A, B`, or `3 of 6 not usable: 2 missing (A, B), 1 expired (C)`.
fn lacking(missing: &[&ApiStatus], of: usize) -> String {
    let groups: Vec<(&str, Vec<&ApiStatus>)> = KINDS
        .into_iter()
        .map(|(status, word)| {
            let group = missing.iter().filter(|one| one.status == status);
            (word, group.copied().collect::<Vec<_>>())
        })
        .filter(|(_, group)| !group.is_empty())
        .collect();
    match &*groups {
        [(word, group)] => format!("{} of {of} {word}: {}", group.len(), names(group)),
        several => {
            let groups: Vec<String> = several
                .iter()
                .map(|(word, group)| format!("{} {word} ({})", group.len(), names(group)))
                .collect();
            format!("{} of {of} not usable: {}", missing.len(), groups.join(", "))
        }
    }
}

/// Why a token that is not usable is not.
const KINDS: [(TokenStatus, &str); 5] = [
    (TokenStatus::Missing, "missing"),
    (TokenStatus::Expired, "expired"),
    (TokenStatus::Invalid, "invalid"),
    (TokenStatus::Unknown, "unknown"),
    (TokenStatus::Valid, "in the last minute"),
];

/// What keeps a sign-in from being made now, or what makes it.
fn way_out(
    missing: &[&ApiStatus],
    closed: &[Cooldown],
    signing_in: &SigningIn,
    now: &ClockReading,
) -> String {
    if missing.iter().all(|status| status.status == TokenStatus::Unknown) {
        return " `vega verify` asks Upstox about them.".into();
    }
    if let Some(open) = closed_until(now.at) {
        return format!(" Sign-ins are closed until {} IST.", in_ist(open).format("%H:%M"));
    }
    let concerns = |closed: &&Cooldown| {
        let mut dead = missing.iter().filter(|status| status.status.needs_sign_in());
        dead.any(|status| status.account == closed.account)
    };
    let closed: Vec<&Cooldown> = closed.iter().filter(concerns).collect();
    match &*closed {
        [] => match signing_in {
            SigningIn::CutOff(run) if run.started_at >= day_start(now.at) => {
                " A run was cut off; `vega` goes on with it.".into()
            }
            SigningIn::Nobody | SigningIn::CutOff(_) => " `vega` signs in.".into(),
            SigningIn::Busy(_) => " Another Vega is busy with sign-ins.".into(),
            SigningIn::Run(_) => " A run is under way.".into(),
        },
        closed => closed
            .iter()
            .map(|closed| match closed.until(now) {
                Some(until) => format!(
                    " Account {} cools down until {} IST.",
                    closed.account,
                    in_ist(until).format("%H:%M:%S")
                ),
                None => format!(" Account {} is stopped.", closed.account),
            })
            .collect(),
    }
}

fn wrapped(words: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in words.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

fn names(statuses: &[&ApiStatus]) -> String {
    let names: Vec<&str> = statuses.iter().map(|status| status.api.as_str()).collect();
    some_of(&names)
}

/// The time of day, with its day where that could be another one than the next.
fn shown(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let is_the_next = at - now <= TimeDelta::days(1);
    let format = if is_the_next {
        "%H:%M IST"
    } else {
        "%H:%M IST on %-d %b"
    };
    in_ist(at).format(format).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use rstest::rstest;
    use vega_domain::cooldown::AccountHold;
    use vega_domain::failure::{Failure, FailureReason};
    use vega_domain::ids::{AccountId, ApiName, MobileNumber, RunId};
    use vega_domain::run::{RunRecord, RunState};
    use vega_domain::token::TokenStatus as S;

    use super::*;

    fn ist(text: &str) -> DateTime<Utc> {
        let at = DateTime::parse_from_rfc3339(&format!("2026-11-{text}:00+05:30"));
        at.unwrap().to_utc()
    }

    const MORNING: &str = "23T08:45";

    fn status(api: &str, status: TokenStatus, servable: bool) -> ApiStatus {
        ApiStatus {
            api: ApiName::new(api).unwrap(),
            account: AccountId::new("default").unwrap(),
            status,
            servable,
            generation: None,
            valid_until: (status != S::Missing).then(|| ist("24T03:30")),
            verified_at: None,
            last_check: None,
            last_failure: None,
            last_attempt: None,
        }
    }

    fn closed(hold: AccountHold) -> Cooldown {
        Cooldown {
            account: AccountId::new("default").unwrap(),
            mobile_number: MobileNumber::new("9000000001").unwrap(),
            since: ClockReading::by_wall_clock(ist(MORNING)),
            hold,
            failure: Failure::new(FailureReason::Throttled, "words"),
        }
    }

    fn overview(statuses: Vec<ApiStatus>, closed: &[Cooldown], at: &str) -> Overview {
        Overview {
            configured: statuses.len(),
            statuses,
            analytics: Vec::new(),
            evidence: HashMap::new(),
            closed: closed.to_vec(),
            now: ClockReading::by_wall_clock(ist(at)),
        }
    }

    fn words(statuses: &[(&str, TokenStatus, bool)], closed: &[Cooldown], at: &str) -> String {
        let statuses: Vec<ApiStatus> = statuses
            .iter()
            .map(|(api, word, servable)| status(api, *word, *servable))
            .collect();
        Verdict::of(&overview(statuses, closed, at), &SigningIn::Nobody).words
    }

    #[rstest]
    #[case::all_valid(&[("A", S::Valid, true), ("B", S::Valid, true)], MORNING, "Ready until 03:30 IST.")]
    #[case::before_midnight(&[("A", S::Valid, true)], "23T23:59", "Ready until 03:30 IST.")]
    #[case::in_the_closed_hours(&[("A", S::Valid, true)], "24T03:25", "Ready until 03:30 IST.")]
    #[case::clock_set_back(&[("A", S::Valid, true)], "22T03:00", "Ready until 03:30 IST on 24 Nov.")]
    #[case::a_later_check_failed(&[("A", S::Valid, true), ("B", S::Unknown, true)], MORNING,
        "Ready until 03:30 IST, but Upstox did not confirm 1 of 2 since: B.")]
    #[case::some_missing(&[("A", S::Valid, true), ("B", S::Missing, false), ("C", S::Missing, false)], MORNING,
        "2 of 3 missing: B, C. The others are ready until 03:30 IST. `vega` signs in.")]
    #[case::all_expired(&[("A", S::Expired, false), ("B", S::Expired, false)], "24T08:45",
        "2 of 2 expired: A, B. `vega` signs in.")]
    #[case::one_invalid(&[("A", S::Invalid, false)], MORNING, "1 of 1 invalid: A. `vega` signs in.")]
    #[case::mixed(&[("A", S::Missing, false), ("B", S::Expired, false), ("C", S::Invalid, false), ("D", S::Unknown, false)],
        MORNING, "4 of 4 not usable: 1 missing (A), 1 expired (B), 1 invalid (C), 1 unknown (D). `vega` signs in.")]
    #[case::never_verified(&[("A", S::Unknown, false)], MORNING,
        "1 of 1 unknown: A. `vega verify` asks Upstox about them.")]
    #[case::last_minute(&[("A", S::Valid, false)], "24T03:29",
        "1 of 1 in the last minute: A. Sign-ins are closed until 03:31 IST.")]
    #[case::dead_in_the_closed_hours(&[("A", S::Missing, false)], "24T03:20",
        "1 of 1 missing: A. Sign-ins are closed until 03:31 IST.")]
    #[case::after_the_closed_hours(&[("A", S::Expired, false)], "24T03:31", "1 of 1 expired: A. `vega` signs in.")]
    #[case::nothing(&[], MORNING, "No API is configured.")]
    fn the_verdict_is_one_line(
        #[case] statuses: &[(&str, TokenStatus, bool)],
        #[case] at: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(words(statuses, &[], at), expected);
    }

    #[test]
    fn a_closed_account_is_told_where_it_matters() {
        let missing = [("A", S::Missing, false)];
        let eleven = closed(AccountHold::Cooldown {
            length: Duration::from_mins(11),
        });
        assert_eq!(
            words(&missing, std::slice::from_ref(&eleven), "23T08:46"),
            "1 of 1 missing: A. Account default cools down until 08:56:00 IST."
        );
        assert_eq!(
            words(&missing, &[closed(AccountHold::Stop)], "23T08:46"),
            "1 of 1 missing: A. Account default is stopped."
        );
        assert_eq!(
            words(&[("A", S::Valid, true)], &[eleven], "23T08:46"),
            "Ready until 03:30 IST."
        );
    }

    fn run(began: &str) -> RunRecord {
        RunRecord {
            id: RunId::at(ist(began)),
            state: RunState::Running,
            started_at: ist(began),
            finished_at: None,
            steps: Vec::new(),
        }
    }

    #[rstest]
    #[case::of_today("23T08:40", "1 of 1 missing: A. A run was cut off; `vega` goes on with it.")]
    #[case::of_the_day_before("22T20:00", "1 of 1 missing: A. `vega` signs in.")]
    fn a_run_that_was_cut_off_is_gone_on_with_on_its_day(#[case] began: &str, #[case] expected: &str) {
        let overview = overview(vec![status("A", S::Missing, false)], &[], MORNING);
        let cut_off = SigningIn::CutOff(run(began));
        assert_eq!(Verdict::of(&overview, &cut_off).words, expected);
    }

    /// Who starts a second one is only refused.
    #[rstest]
    #[case::missing(S::Missing, false, MORNING, "1 of 1 missing: A. A run is under way.")]
    #[case::unknown(
        S::Unknown,
        false,
        MORNING,
        "1 of 1 unknown: A. `vega verify` asks Upstox about them."
    )]
    #[case::closed_hours(
        S::Missing,
        false,
        "24T03:25",
        "1 of 1 missing: A. Sign-ins are closed until 03:31 IST."
    )]
    #[case::ready(S::Valid, true, MORNING, "Ready until 03:30 IST.")]
    fn during_a_run_nobody_is_sent_to_begin_one(
        #[case] word: TokenStatus,
        #[case] servable: bool,
        #[case] at: &str,
        #[case] expected: &str,
    ) {
        let overview = overview(vec![status("A", word, servable)], &[], at);
        assert_eq!(
            Verdict::of(&overview, &SigningIn::Run(run("23T08:40"))).words,
            expected
        );
    }

    #[test]
    fn sixty_apis_are_one_line_too() {
        let names: Vec<String> = (0..60).map(|number| format!("API{number}")).collect();
        let statuses: Vec<_> = names.iter().map(|name| (&**name, S::Missing, false)).collect();
        let words = words(&statuses, &[], MORNING);
        assert!(words.starts_with("60 of 60 missing: API0, API1, "), "{words}");
        assert!(words.ends_with("API11 and 48 more. `vega` signs in."), "{words}");
    }

    #[test]
    fn a_narrow_terminal_gets_whole_words() {
        assert_eq!(wrapped("1 of 1 missing: A.", 10), "1 of 1\nmissing:\nA.");
        assert_eq!(wrapped("1 of 1 missing: A.", 18), "1 of 1 missing: A.");
        assert_eq!(wrapped("A_VERY_LONG_NAME is", 4), "A_VERY_LONG_NAME\nis");
    }

    #[test]
    fn a_part_does_not_pass_for_all() {
        let part = [status("A", S::Valid, true), status("B", S::Valid, true)];
        let part = Overview {
            configured: 6,
            ..overview(part.to_vec(), &[], MORNING)
        };
        let verdict = Verdict::of(&part, &SigningIn::Nobody);
        assert_eq!(verdict.words, "A, B ready until 03:30 IST.");
    }

    #[test]
    fn programs_get_the_same() {
        let ready = overview(vec![status("A", S::Valid, true)], &[], MORNING);
        let ready = Verdict::of(&ready, &SigningIn::Nobody);
        let report = serde_json::to_value(ready.view()).unwrap();
        assert_eq!(report["ready"], true);
        assert_eq!(report["ready_until"], "2026-11-24T03:30:00+05:30");
        let mixed = [status("A", S::Valid, true), status("B", S::Missing, false)];
        let not = Verdict::of(&overview(mixed.to_vec(), &[], MORNING), &SigningIn::Nobody);
        let report = serde_json::to_value(not.view()).unwrap();
        assert_eq!(report["ready"], false);
        assert!(report["ready_until"].is_null(), "{report}");
        assert_eq!(report["not_ready"], serde_json::json!(["B"]));
    }
}
