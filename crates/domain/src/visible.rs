//! Words from outside, made harmless where they are shown: a page, a broker's message, a file name or a setting may hold
//! characters that steer a terminal, turn the direction of what follows, or cannot be seen. Each becomes its number, such as
//! `\u{202e}`. The programs call this where they print; what is stored stays as it came.

use std::borrow::Cow;
use std::fmt::Write;

/// The text as it may stand in a terminal or a log. Its line breaks and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, |c| is_unseen(c) && !matches!(c, '\n' | '\t'), escape)
}

/// The same for one line or one cell of a table: line breaks and tabs are shown too.
pub fn on_one_line(text: &str) -> Cow<'_, str> {
    replaced(text, is_unseen, escape)
}

/// The same as `visible` for text that has colours of our own: what sets a colour is let through, and nothing else.
pub fn visible_with_colours(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        let (before, code) = rest.split_at(at);
        out.push_str(&visible(before));
        let parameters = code[2..]
            .bytes()
            .take_while(|byte| byte.is_ascii_digit() || *byte == b';')
            .count();
        let end = 2 + parameters;
        if code[end..].starts_with('m') {
            out.push_str(&code[..=end]);
            rest = &code[end + 1..];
        } else {
            out.push_str(&visible(&code[..end]));
            rest = &code[end..];
        }
    }
    out.push_str(&visible(rest));
    out
}

/// JSON as it may stand in a terminal, for programs still the same. A serializer leaves everything outside ASCII alone; such
/// a character stands in a string, where its number means the same.
pub fn json_for_terminals(json: &str) -> Cow<'_, str> {
    let is_left_alone = |c: char| is_unseen(c) && c >= '\u{7f}';
    replaced(json, is_left_alone, |c, out| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn escape(c: char, out: &mut String) {
    match c {
        '\n' | '\r' | '\t' => out.extend(c.escape_default()),
        _ => out.extend(c.escape_unicode()),
    }
}

fn replaced(text: &str, is_replaced: impl Fn(char) -> bool, by: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(&is_replaced) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_replaced(c) {
            by(c, &mut out);
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// Control characters (C0, DEL, C1), marks of direction, line and paragraph separators, and everything else that Unicode
/// says is not shown. Joiners are among them: legitimate in Indian scripts, where their number is the smaller evil.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain(
        "Incorrect PIN. 4 attempts left. ग़लत पिन ₹",
        "Incorrect PIN. 4 attempts left. ग़लत पिन ₹"
    )]
    #[case::colour("\u{1b}[31mred", "\\u{1b}[31mred")]
    #[case::title("\u{1b}]0;x\u{7}", "\\u{1b}]0;x\\u{7}")]
    #[case::carriage_return("all well\rerror", "all well\\rerror")]
    #[case::backspace_and_delete("a\u{8}b\u{7f}", "a\\u{8}b\\u{7f}")]
    #[case::one_byte_csi("\u{9b}31m", "\\u{9b}31m")]
    #[case::next_line("a\u{85}b", "a\\u{85}b")]
    #[case::overrides(
        "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}",
        "\\u{202a}\\u{202b}\\u{202c}\\u{202d}\\u{202e}"
    )]
    #[case::isolates("\u{2066}\u{2067}\u{2068}\u{2069}", "\\u{2066}\\u{2067}\\u{2068}\\u{2069}")]
    #[case::marks("\u{200e}\u{200f}\u{61c}", "\\u{200e}\\u{200f}\\u{61c}")]
    #[case::zero_width("PRI\u{200b}MARY\u{feff}\u{2060}", "PRI\\u{200b}MARY\\u{feff}\\u{2060}")]
    #[case::separators("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}")]
    #[case::tags("\u{e0041}", "\\u{e0041}")]
    #[case::what_looks_escaped("\\u{202e}", "\\u{202e}")]
    fn what_steers_or_hides_is_shown(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(visible(text), shown);
        assert_eq!(on_one_line(text), shown);
        assert_eq!(visible(shown), shown, "once is enough");
    }

    #[test]
    fn line_breaks_stay_where_there_are_lines() {
        assert_eq!(visible("a\nb\tc"), "a\nb\tc");
        assert_eq!(on_one_line("a\nb\tc"), "a\\nb\\tc");
    }

    #[rstest]
    #[case("a \u{1b}[32mvalid\u{1b}[0m", "a \u{1b}[32mvalid\u{1b}[0m")]
    #[case("\u{1b}[1;31merror:\u{1b}[0m x", "\u{1b}[1;31merror:\u{1b}[0m x")]
    #[case("\u{1b}[2Ja\u{7}\u{202e}", "\\u{1b}[2Ja\\u{7}\\u{202e}")]
    #[case("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}")]
    #[case("\u{1b}[", "\\u{1b}[")]
    #[case("\u{1b}[3\u{1b}[1m", "\\u{1b}[3\u{1b}[1m")]
    fn colours_are_let_through_and_nothing_else(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(visible_with_colours(text), shown);
    }

    /// Every character there is.
    #[test]
    fn nothing_that_a_terminal_obeys_is_let_through() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let text = c.to_string();
            for shown in [visible(&text), json_for_terminals(&text)] {
                let is_obeyed = |c: char| match c {
                    '\u{200b}'..='\u{200f}'
                    | '\u{2028}'..='\u{202e}'
                    | '\u{2066}'..='\u{2069}'
                    | '\u{feff}' => true,
                    // A serializer has replaced these.
                    '\0'..='\u{1f}' if c.to_string() == shown && shown != visible(&text) => false,
                    '\n' | '\t' => false,
                    c => c.is_control(),
                };
                assert!(!shown.contains(is_obeyed), "{c:?} as {shown:?}");
            }
        }
    }

    #[test]
    fn json_says_the_same_to_programs() {
        let json = "\"\\u001b[2J \u{202e}gnp\u{7f}\u{9b}\u{2028}\u{e0041} \u{20b9}\"";
        assert_eq!(
            json_for_terminals(json),
            "\"\\u001b[2J \\u202egnp\\u007f\\u009b\\u2028\\udb40\\udc41 \u{20b9}\""
        );
        assert_eq!(json_for_terminals("{\n  \"a\": 1\n}"), "{\n  \"a\": 1\n}");
    }
}
