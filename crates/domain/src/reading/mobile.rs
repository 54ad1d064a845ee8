//! The mobile number of an Upstox login, as people write it: with +91, with a 0 before it, in groups.

use super::{called, digit, is_blank_or_dash, tidied};
use crate::ids::MobileNumber;
use crate::invalid_value::InvalidValue;

impl MobileNumber {
    /// Reads what was written; a refusal repeats none of the digits.
    pub fn read(text: &str) -> Result<Self, InvalidValue> {
        let refused = |problem: &str| Err(InvalidValue::new("mobile number", problem));
        let text = tidied(text);
        let text = text.strip_prefix("tel:").unwrap_or(&text);
        let (has_plus, rest) = match text.trim_start().strip_prefix(['+', '＋']) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut digits = String::new();
        for c in rest
            .chars()
            .filter(|c| !is_blank_or_dash(*c) && !matches!(c, '(' | ')'))
        {
            match digit(c) {
                Some(digit) => digits.push(digit),
                None => return refused(&format!("must be ten digits, and this holds {}", called(c))),
            }
        }
        let with_code = ["91", "910"]
            .iter()
            .find_map(|code| of_ten(digits.strip_prefix(code)?));
        let number = if has_plus {
            match with_code {
                Some(number) => number,
                None => return refused("must be a number of India: +91 and ten digits"),
            }
        } else {
            let plain = of_ten(&digits).or_else(|| of_ten(digits.strip_prefix('0')?));
            let with_zeros = || {
                ["0091", "091"]
                    .iter()
                    .find_map(|code| of_ten(digits.strip_prefix(code)?))
            };
            match plain.or(with_code).or_else(with_zeros) {
                Some(number) => number,
                None => return refused(&format!("must be ten digits, and this has {}", digits.len())),
            }
        };
        if number.starts_with(['6', '7', '8', '9']) {
            Self::new(number)
        } else {
            refused("must begin with 6, 7, 8 or 9, as every mobile number of India does")
        }
    }
}

fn of_ten(digits: &str) -> Option<&str> {
    (digits.len() == 10).then_some(digits)
}
