//! An access token that somebody copied. Upstox calls it opaque, so its form is not judged: only what surely is none is refused, before
//! Upstox is asked. No refusal repeats any of it.

use super::{called, tidied};
use crate::invalid_value::InvalidValue;

/// In characters: far below what Upstox gives out, above what remains of a torn line.
const SHORTEST: usize = 20;
/// Far above: it goes into a header.
const LONGEST: usize = 4_000;

/// Takes off what is around it: quotation marks, and the `Bearer` of a header.
pub(crate) fn access_token(text: &str) -> Result<String, InvalidValue> {
    let refused = |problem: String| Err(InvalidValue::new("access token", problem));
    let mut text = tidied(text);
    for before in ["Authorization:", "Bearer "] {
        if let Some((start, rest)) = text.split_at_checked(before.len())
            && start.eq_ignore_ascii_case(before)
        {
            text = tidied(rest);
        }
    }
    if let Some(wrong) = text.chars().find(|c| !c.is_ascii_graphic()) {
        return refused(format!(
            "must be one word, as Upstox shows it, and holds {}",
            called(wrong)
        ));
    }
    if let Some(wrong) = text
        .chars()
        .find(|c| matches!(c, '"' | '\'' | '\\' | '<' | '>' | '{' | '}'))
    {
        return refused(format!("holds {}, which belongs to no token", called(wrong)));
    }
    match text.len() {
        0 => refused("must not be empty".into()),
        length if length < SHORTEST => {
            refused(format!("has {length} characters: that is not the whole of it"))
        }
        length if length > LONGEST => refused(format!("has {length} characters, which is too long for it")),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TOKEN: &str = "eyJ0eXAi.eyJzdWIiOiJBQjEyMzQi.CANARY-s1gn_";

    #[rstest]
    #[case::plain(TOKEN.into())]
    #[case::line(format!(" {TOKEN}\r\n"))]
    #[case::quoted(format!("\"{TOKEN}\""))]
    #[case::header(format!("Authorization: Bearer {TOKEN}"))]
    #[case::bearer(format!("bearer   {TOKEN}"))]
    #[case::invisible(format!("\u{feff}{TOKEN}\u{200b}"))]
    fn what_is_around_it_is_taken_off(#[case] text: String) {
        assert_eq!(access_token(&text), Ok(TOKEN.to_owned()));
    }

    #[rstest]
    #[case::nothing(" ".into(), "must not be empty")]
    #[case::torn("eyJ0eXAi".into(), "has 8 characters")]
    #[case::two(format!("{TOKEN} {TOKEN}"), "holds a blank")]
    #[case::two_lines(format!("{TOKEN}\n{TOKEN}"), "holds a line break")]
    #[case::json(format!("{{\"access_token\":\"{TOKEN}\"}}"), "holds the sign {")]
    #[case::script(format!("{TOKEN}…"), "beyond ASCII")]
    #[case::endless("x".repeat(4_001), "too long")]
    fn what_is_no_token_is_refused_without_its_words(#[case] text: String, #[case] because: &str) {
        let refused = access_token(&text).unwrap_err().to_string();
        assert!(
            refused.contains(because) && !refused.contains("CANARY"),
            "{refused}"
        );
    }
}
