//! Keeps a token out of what a command or a template said of it: the whole token, and each part of it that is long enough to be of use.

/// In characters: shorter ones occur by chance.
const LONG_ENOUGH: usize = 8;
/// What stands in its place.
const REDACTED: &str = "[redacted]";

/// The text without each part of the secret that is at least 8 characters long.
pub(crate) fn without(text: &str, secret: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(length) = length_within(rest, secret) {
            if !out.ends_with(REDACTED) {
                out.push_str(REDACTED);
            }
            rest = &rest[length..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// How many bytes of the text's beginning are a part of the secret, if those are enough.
fn length_within(text: &str, secret: &str) -> Option<usize> {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let ends = ends.skip(LONG_ENOUGH.min(secret.chars().count()).max(1) - 1);
    ends.take_while(|end| secret.contains(&text[..*end])).last()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing("", "")]
    #[case::other_words("jq: parse error at line 1", "jq: parse error at line 1")]
    #[case::all_of_it("near eyJ0eXAi.eyJzdWIi.c2lnbmF0, see", "near [redacted], see")]
    #[case::its_beginning("near \"eyJ0eXAi.ey...\"", "near \"[redacted]...\"")]
    #[case::its_end("...YQ.c2lnbmF0!", "...YQ[redacted]!")]
    #[case::twice("eyJ0eXAi.eyJzdWIi.c2lnbmF0eyJ0eXAi.", "[redacted]")]
    #[case::by_chance("eyJ0eXA is seven", "eyJ0eXA is seven")]
    #[case::other_letters("\u{e4}\u{20ac} eyJ0eXAi\u{e4}", "\u{e4}\u{20ac} [redacted]\u{e4}")]
    fn no_part_of_a_token_is_left(#[case] text: &str, #[case] left: &str) {
        assert_eq!(without(text, "eyJ0eXAi.eyJzdWIi.c2lnbmF0"), left);
    }

    #[test]
    fn a_short_secret_is_left_out_whole() {
        assert_eq!(without("a-abc-ab", "abc"), "a-[redacted]-ab");
        assert_eq!(without("text", ""), "text");
    }
}
