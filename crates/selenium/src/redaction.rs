//! Removes from a page's text the numbers that may be a second factor or a mobile number. Failures are stored, logged
//! and shown, so the text is redacted where a failure is made. The meaning of the text is decided elsewhere.

/// The least number of digits of a second factor or mobile number.
const DIGITS_OF_A_SECRET: usize = 6;

/// The text without long numbers, also those with white space or dashes in them: the page may repeat what was typed.
/// Upstox's error codes stay.
pub(crate) fn without_numbers(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let is_code = before.ends_with("UDAPI");
        let length = if is_code {
            from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len())
        } else {
            length_of_number(from)
        };
        let (number, after) = from.split_at(length);
        let digits = number.chars().filter(char::is_ascii_digit).count();
        kept.push_str(before);
        kept.push_str(if digits < DIGITS_OF_A_SECRET || is_code {
            number
        } else {
            "[number]"
        });
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// The length up to the number's last digit, with at most one white space or dash between two digits.
fn length_of_number(text: &str) -> usize {
    let mut end = 0;
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() {
            end = at + 1;
        } else if !((c.is_whitespace() || c == '-') && at == end) {
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Incorrect OTP 482913.", "Incorrect OTP [number].")]
    #[case(
        "sent to +91 90000 00001, 4 attempts left",
        "sent to +[number], 4 attempts left"
    )]
    #[case("4-8-2-9-1-3", "[number]")]
    #[case("482\n913, 98765\u{a0}00001", "[number], [number]")]
    #[case("otp482913x", "otp[number]x")]
    #[case("UDAPI100068 Check your client_id", "UDAPI100068 Check your client_id")]
    #[case("UDAPI100068 482913", "UDAPI100068 [number]")]
    #[case("screen otp, limit 300 s", "screen otp, limit 300 s")]
    #[case("12345 - 6789", "12345 - 6789")]
    #[case("पिन 482913 गलत", "पिन [number] गलत")]
    #[case("", "")]
    fn long_numbers_are_left_out_of_words(#[case] words: &str, #[case] kept: &str) {
        assert_eq!(without_numbers(words), kept);
    }
}
