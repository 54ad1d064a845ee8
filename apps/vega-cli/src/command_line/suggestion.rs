//! Suggests which known name was meant by one that is not known.

/// So alike must two names be; clap asks for the same of its own.
const ALIKE: f64 = 0.7;
/// What is so much less alike than the best was not meant.
const NEXT_TO_THE_BEST: f64 = 0.1;
/// More than these are no help.
const MOST: usize = 3;
/// A desk may have sixty APIs.
const MOST_NAMED: usize = 12;

/// The known names that `typed` may stand for, the likeliest first. Case does not count.
pub(crate) fn alike<'k>(typed: &str, known: impl IntoIterator<Item = &'k str>) -> Vec<&'k str> {
    let typed = typed.to_lowercase();
    let mut alike: Vec<(f64, &str)> = known
        .into_iter()
        .map(|name| (likeness(&typed, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .collect();
    alike.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let best = alike.first().map_or(0.0, |(likeness, _)| *likeness);
    alike.retain(|(likeness, _)| best - likeness < NEXT_TO_THE_BEST);
    alike.into_iter().map(|(_, name)| name).take(MOST).collect()
}

/// One slip of the finger is enough also in a short word.
fn likeness(typed: &str, name: &str) -> f64 {
    let is_one_slip = typed.chars().count() > 2 && strsim::osa_distance(typed, name) == 1;
    let at_least = if is_one_slip { ALIKE.next_up() } else { 0.0 };
    strsim::jaro(typed, name).max(at_least)
}

/// `Did you mean A or B? `, or nothing.
pub(crate) fn did_you_mean(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [name] => format!("Did you mean {name}? "),
        [first @ .., last] => format!("Did you mean {} or {last}? ", first.join(", ")),
    }
}

/// The names with commas, and how many more there are.
pub(crate) fn some_of(names: &[&str]) -> String {
    let more = names.len().saturating_sub(MOST_NAMED);
    let first = names[..names.len() - more].join(", ");
    match more {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const KNOWN: [&str; 6] = ["status", "verify", "token", "PRIMARY", "WEBSOCKET1", "WEBSOCKET2"];

    #[rstest]
    #[case::two_letters_swapped("stauts", &["status"])]
    #[case::one_missing("verfy", &["verify"])]
    #[case::one_too_many("tokenn", &["token"])]
    #[case::case_alone("Primary", &["PRIMARY"])]
    #[case::several("websokcet2", &["WEBSOCKET2", "WEBSOCKET1"])]
    #[case::nothing_alike("xyz", &[])]
    #[case::empty("", &[])]
    fn what_was_meant_comes_first(#[case] typed: &str, #[case] meant: &[&str]) {
        assert_eq!(alike(typed, KNOWN), meant);
    }

    #[test]
    fn many_names_are_not_all_told() {
        let names: Vec<String> = (0..60).map(|number| format!("A{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(some_of(&names).ends_with("A10, A11 and 48 more"));
        assert_eq!(some_of(&names[..12]).split(", ").count(), 12);
        assert_eq!(some_of(&[]), "");
    }

    #[test]
    fn a_question_reads_well() {
        let asked =
            |names: &[&str]| did_you_mean(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(asked(&[]), "");
        assert_eq!(asked(&["A"]), "Did you mean A? ");
        assert_eq!(asked(&["A", "B", "C"]), "Did you mean A, B or C? ");
    }
}
