//! The id and the secret of an app. Upstox shows them as a UUID and as some ten letters and digits, and promises neither; so
//! this refuses what is surely something else: too short, another sign, a name pasted with its value, what stands where a
//! value is still to be put in. Upstox would say so only after OTP and PIN are spent.

use super::{called, is_quote, tidied};
use crate::invalid_value::InvalidValue;

const LONGEST: usize = 256;
/// Far below what Upstox gives out, above what remains of a torn line.
const SHORTEST_ID: usize = 4;
const SHORTEST_SECRET: usize = 6;

/// The last words of names under which either is kept, in small letters and without what joins words.
const NAMES: [&str; 11] = [
    "secret",
    "key",
    "id",
    "token",
    "password",
    "passwd",
    "pwd",
    "value",
    "code",
    "authorization",
    "pin",
];

/// What tools and people write in place of a value, without what joins words.
const NO_VALUES: [&str; 19] = [
    "none",
    "null",
    "nil",
    "undefined",
    "unset",
    "empty",
    "todo",
    "tbd",
    "fixme",
    "placeholder",
    "redacted",
    "hidden",
    "masked",
    "clientsecret",
    "apisecret",
    "appsecret",
    "clientid",
    "apikey",
    "appkey",
];

/// Reads the id of an app.
pub(crate) fn client_id(text: &str) -> Result<String, InvalidValue> {
    let text = tidied(text);
    let is_of_ids = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match refuse_what_is_none(&text, SHORTEST_ID, is_of_ids) {
        Ok(()) => Ok(text),
        Err(problem) => Err(InvalidValue::new("client id", problem)),
    }
}

/// Reads the secret of an app.
pub(crate) fn client_secret(text: &str) -> Result<String, InvalidValue> {
    let text = tidied(text);
    // What encloses, separates or escapes belongs to the place that it was copied from.
    let is_of_secrets = |c: char| {
        c.is_ascii_graphic()
            && !is_quote(c)
            && !matches!(
                c,
                '\\' | '<' | '>' | '{' | '}' | '[' | ']' | '(' | ')' | ',' | ';' | '|'
            )
    };
    let refused =
        refuse_what_is_none(&text, SHORTEST_SECRET, is_of_secrets).and_then(|()| refuse_no_secret(&text));
    match refused {
        Ok(()) => Ok(text),
        Err(problem) => Err(InvalidValue::new("client secret", problem)),
    }
}

fn refuse_what_is_none(text: &str, shortest: usize, belongs: impl Fn(char) -> bool) -> Result<(), String> {
    if text.is_empty() {
        return Err("must not be empty".into());
    }
    if names_itself(text) {
        return Err("begins with its own name. Put the value alone".into());
    }
    if let Some(what) = something_else(text) {
        return Err(format!(
            "is {what}. Put the value itself, as Upstox shows it for the app"
        ));
    }
    if let Some((place, wrong)) = (1..).zip(text.chars()).find(|(_, c)| !belongs(*c)) {
        return Err(format!(
            "must hold no {} (character {place})",
            without_article(&called(wrong))
        ));
    }
    match text.len() {
        length if length < shortest => {
            let s = if length == 1 { "" } else { "s" };
            Err(format!(
                "has {length} character{s} only, so a part is missing. Put the whole value, as Upstox shows it for the app"
            ))
        }
        length if length > LONGEST => Err(format!("has {length} characters, which is too long for it")),
        _ => Ok(()),
    }
}

/// What may be an id and is no secret.
fn refuse_no_secret(text: &str) -> Result<(), String> {
    const LONGEST_NUMBER: usize = 13;
    let digits = text.strip_prefix('+').unwrap_or(text);
    if text.len() <= LONGEST_NUMBER && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is a number alone, such as an OTP, a PIN or a mobile number. Put the secret that Upstox shows for the app".into());
    }
    if is_mail_address(text) {
        return Err("is a mail address. Put the secret that Upstox shows for the app".into());
    }
    if uuid_with_more(text) {
        return Err("holds an app's id as well. Put the secret alone".into());
    }
    Ok(())
}

fn is_mail_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| {
        let ends_in_letters = host
            .rsplit('.')
            .next()
            .is_some_and(|end| end.len() > 1 && end.bytes().all(|byte| byte.is_ascii_alphabetic()));
        !name.is_empty() && host.contains('.') && ends_in_letters
    })
}

/// `11111111-2222-3333-4444-555555555555:abc`, as another program takes the two together.
fn uuid_with_more(text: &str) -> bool {
    const UUID: usize = 36;
    let is_uuid = |part: &str| {
        part.len() == UUID
            && part.char_indices().all(|(place, c)| match place {
                8 | 13 | 18 | 23 => c == '-',
                _ => c.is_ascii_hexdigit(),
            })
    };
    let parts = text.split([':', '/', '=', '&', '@', '+', '~', '#']);
    !is_uuid(text) && parts.into_iter().any(is_uuid)
}

fn without_article(called: &str) -> &str {
    let articles = ["a ", "the "];
    articles
        .iter()
        .find_map(|article| called.strip_prefix(article))
        .unwrap_or(called)
}

/// In small letters and without what joins words, opens JSON or a query, or numbers an app.
fn plain(name: &str) -> String {
    let letters = name
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase);
    let name: String = letters.collect();
    name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned()
}

/// `UPSTOX_CLIENT_SECRET_0=abc`, `api_key: abc`, `{"secret":"abc"}` or `?client_secret=abc` in place of `abc`.
fn names_itself(text: &str) -> bool {
    text.match_indices(['=', ':', '：', '＝', '→'])
        .any(|(place, sign)| {
            let (name, value) = (plain(&text[..place]), &text[place + sign.len()..]);
            // What ends in `=` may be Base64.
            let is_value = value.chars().any(char::is_alphanumeric);
            is_value && NAMES.iter().any(|ending| name.ends_with(ending))
        })
}

/// What stands where a value is still to be put in, or is another thing altogether.
fn something_else(text: &str) -> Option<&'static str> {
    let small = text.to_lowercase();
    let begins = |words: &[&str]| words.iter().any(|word| small.starts_with(word));
    let is_between = |open: &str, close: &str| text.starts_with(open) && text.ends_with(close);
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_variable = text.strip_prefix('$').is_some_and(is_name)
        || is_between("${", "}")
        || is_between("$(", ")")
        || is_between("{{", "}}")
        || text
            .strip_prefix('%')
            .and_then(|rest| rest.strip_suffix('%'))
            .is_some_and(is_name);
    let is_in_brackets = [("<", ">"), ("[", "]"), ("{", "}"), ("(", ")")]
        .iter()
        .any(|(open, close)| is_between(open, close) && !text.contains([':', '=']));
    if is_masked(text) {
        Some("masked or a placeholder")
    } else if is_variable {
        Some("the name of a variable that nobody put in")
    } else if is_in_brackets
        || begins(&[
            "your-",
            "your_",
            "your ",
            "yourclient",
            "yourapi",
            "yoursecret",
            "changeme",
            "change-me",
            "change_me",
            "<your",
        ])
        || NO_VALUES.contains(&plain(text).trim_start_matches("upstox"))
    {
        Some("a placeholder")
    } else if text.contains("://") {
        Some("an address")
    } else if begins(&["/", "~/", "./", "../", "@/", "file:", "c:\\", "\\\\"]) {
        Some("a path. A file is named by the key that ends in _FILE")
    } else if begins(&[
        "arn:",
        "vault:",
        "ssm:",
        "sops:",
        "enc[",
        "projects/",
        "@microsoft.keyvault",
        "!secret",
        "secretref:",
    ]) {
        Some("a reference for another program, which Vega does not follow")
    } else if text.starts_with("eyJ") && text.matches('.').count() >= 2 {
        Some("an access token")
    } else if text.starts_with("-----BEGIN") {
        Some("a key in PEM form")
    } else if begins(&["bearer ", "basic "]) {
        Some("a header of HTTP")
    } else {
        None
    }
}

/// One sign again and again, or an end that is shown and a beginning that is not.
fn is_masked(text: &str) -> bool {
    const HIDDEN: [char; 5] = ['*', '•', '●', '…', '∗'];
    let mut signs: Vec<char> = text.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).collect();
    let count = signs.len();
    signs.dedup();
    let is_one_sign = count > 2 && signs.len() == 1 && !signs[0].is_ascii_digit();
    let hides = HIDDEN
        .iter()
        .any(|sign| text.contains([*sign; 3].iter().collect::<String>().as_str()));
    is_one_sign || hides || text.contains("...") || text.ends_with('…')
}
