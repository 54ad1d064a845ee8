//! OTP and PIN: exactly six digits, wherever they are typed. The console has the same rule in TypeScript, and both are
//! tested with `second_factors.json`.

use secrecy::zeroize::Zeroizing;

use super::{called, digit, is_blank_or_dash, tidied};
use crate::invalid_value::InvalidValue;
use crate::secret::SecondFactor;
use crate::sign_in::PromptKind;

const DIGITS: usize = 6;

impl SecondFactor {
    /// Reads what was typed. What is refused was given to nobody, and is no try; the refusal repeats none of it.
    pub fn read(kind: PromptKind, typed: &str) -> Result<Self, InvalidValue> {
        let refused = |problem: String| Err(InvalidValue::new(kind.as_str(), problem));
        let typed = Zeroizing::new(tidied(typed));
        let mut digits = Zeroizing::new(String::with_capacity(typed.len()));
        for c in typed.chars().filter(|c| !is_blank_or_dash(*c)) {
            match digit(c) {
                Some(digit) => digits.push(digit),
                None if c.is_alphabetic() => {
                    return refused("must be six digits, and this holds a letter".into());
                }
                None => return refused(format!("must be six digits, and this holds {}", called(c))),
            }
        }
        match digits.len() {
            DIGITS => Ok(Self::of_digits(digits.as_str())),
            0 => refused("must be six digits, and this has none".into()),
            count => refused(format!("must be six digits, and this has {count}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_row_of_the_table_that_the_console_shares_is_read_so() {
        let table: Value = serde_json::from_str(include_str!("second_factors.json")).unwrap();
        let rows = table.as_array().unwrap();
        assert!(rows.len() > 30);
        for row in rows {
            let typed = row["typed"].as_str().unwrap();
            for kind in [PromptKind::Otp, PromptKind::Pin] {
                let read = SecondFactor::read(kind, typed);
                let read = read.as_ref().map(SecondFactor::expose);
                // None where it is refused.
                assert_eq!(read.ok(), row["read"].as_str(), "{typed:?}");
            }
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_repeats_no_digit() {
        let refused = |typed| {
            SecondFactor::read(PromptKind::Otp, typed)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(refused("12345"), "OTP must be six digits, and this has 5");
        assert_eq!(refused(" - "), "OTP must be six digits, and this has none");
        assert_eq!(
            refused("31415x"),
            "OTP must be six digits, and this holds a letter"
        );
        assert_eq!(
            refused("314.159"),
            "OTP must be six digits, and this holds the sign ."
        );
    }
}
