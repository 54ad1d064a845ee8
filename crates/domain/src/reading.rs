//! What humans type and files hold, before it becomes a value: takes off what editors, shells, chats and container
//! tools put around it, and refuses what cannot belong by naming it. Pure; the types' `read` functions use it, and so
//! does every place where a value comes in. A refusal repeats at most the one sign that does not belong.

use crate::invalid_value::InvalidValue;

pub(crate) use access_token::access_token;
pub(crate) use credential::{client_id, client_secret};

mod access_token;
mod credential;
mod mobile;
mod pasted;
mod second_factor;

/// The text without invisible signs, without blanks around it, and without quotation marks around it, of whatever kind.
/// One that nothing closes stays, for a reader to refuse.
pub fn tidied(text: &str) -> String {
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let mut rest = visible.trim();
    while let Some(inner) = unquoted(rest) {
        rest = inner.trim();
    }
    rest.to_owned()
}

/// Marks of byte order and of writing direction, and what has no width: nobody types them, copying brings them along.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e007f}')
}

fn is_double_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '‟' | '«' | '»' | '″' | '＂')
}

fn is_single_quote(c: char) -> bool {
    matches!(
        c,
        '\'' | '‘' | '’' | '‚' | '‛' | '‹' | '›' | '′' | '＇' | '`' | '´'
    )
}

fn is_quote(c: char) -> bool {
    is_double_quote(c) || is_single_quote(c)
}

fn unquoted(text: &str) -> Option<&str> {
    // As JSON in a variable leaves them.
    if let Some(inner) = text
        .strip_prefix("\\\"")
        .and_then(|rest| rest.strip_suffix("\\\""))
    {
        return Some(inner);
    }
    [is_double_quote, is_single_quote].into_iter().find_map(|is_one| {
        let mut chars = text.chars();
        let around = chars.next().is_some_and(is_one) && chars.next_back().is_some_and(is_one);
        around.then_some(chars.as_str())
    })
}

/// A sign that does not belong, without a hint to what stands around it.
pub(crate) fn called(c: char) -> String {
    match c {
        '\n' | '\r' => "a line break".to_owned(),
        c if c.is_whitespace() => "a blank".to_owned(),
        c if is_quote(c) => "a quotation mark".to_owned(),
        c if c.is_control() => format!("the control character U+{:04X}", u32::from(c)),
        c if c.is_ascii() => format!("the sign {c}"),
        c => format!("a sign beyond ASCII, U+{:04X}", u32::from(c)),
    }
}

/// Reads the id of a person at Upstox: letters and digits, in capitals as Upstox writes them.
pub(crate) fn user_id(text: &str) -> Result<String, InvalidValue> {
    const LONGEST: usize = 20;
    let refused = |problem: String| Err(InvalidValue::new("user id", problem));
    let text = tidied(text).to_ascii_uppercase();
    if let Some(wrong) = text.chars().find(|c| !c.is_ascii_alphanumeric()) {
        return refused(format!(
            "must be letters and digits, such as AB1234, and holds {}",
            called(wrong)
        ));
    }
    match text.len() {
        0 => refused("must not be empty".into()),
        10 if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            refused("is a mobile number. Write Upstox's id of the person (UCC), such as AB1234".into())
        }
        1..=LONGEST => Ok(text),
        length => refused(format!("has {length} characters, which is too long for it")),
    }
}

/// The digit that a sign stands for, in any script that phones of India write, and in full width.
fn digit(c: char) -> Option<char> {
    /// Each script's zero: Arabic, Urdu, Devanagari, Bengali, Gurmukhi, Gujarati, Odia, Tamil, Telugu, Kannada,
    /// Malayalam, Meitei, Ol Chiki, full width.
    const ZEROS: [u32; 14] = [
        0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xabf0, 0x1c50, 0xff10,
    ];
    if c.is_ascii_digit() {
        return Some(c);
    }
    let value = ZEROS
        .iter()
        .find_map(|zero| u32::from(c).checked_sub(*zero).filter(|value| *value < 10))?;
    char::from_digit(value, 10)
}

/// What groups digits and means nothing.
fn is_blank_or_dash(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}'
        )
}

#[cfg(test)]
mod tests;
