//! The address at which a sign-in ended, as it comes from address bars, chats and mails: in marks, in the midst of words,
//! over two lines, encoded once or twice, inside the link of a mail filter.

use url::Url;

use super::is_invisible;
use crate::account::Api;
use crate::authorize::Redirect;
use crate::secret::{OAuthState, RedirectAddress};

/// Longer ones are no address.
const LONGEST: usize = 8192;
/// A chat may encode what a mail filter has encoded.
const TIMES_ENCODED: usize = 3;

impl RedirectAddress {
    /// The address of this API's redirect in what was pasted: the one that brings this attempt's code, else any.
    pub fn find(&self, api: &Api, state: &OAuthState) -> Option<Url> {
        let found = found(self.expose(), api);
        let ours = |url: &&Url| matches!(Redirect::read(url, api, state), Redirect::Code(_));
        found.iter().find(ours).or(found.first()).cloned()
    }
}

/// Every reading of the text that is an address of this redirect, the plainest first.
fn found(pasted: &str, api: &Api) -> Vec<Url> {
    if pasted.len() > LONGEST {
        return Vec::new();
    }
    let visible: String = pasted.chars().filter(|c| !is_invisible(*c)).collect();
    // A mail breaks lines with or without a sign of it.
    let joined = |text: &str| text.split_whitespace().collect::<String>();
    let mut texts = vec![
        joined(&visible),
        joined(&visible.replace("=\r\n", "").replace("=\n", "")),
    ];
    texts.extend(visible.split_whitespace().map(str::to_owned));
    texts.dedup();
    let mut urls: Vec<Url> = Vec::new();
    for text in texts {
        for url in readings(&text, api) {
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
    }
    urls
}

fn readings(text: &str, api: &Api) -> Vec<Url> {
    let mut urls = Vec::new();
    let mut text = text.to_owned();
    for _ in 0..=TIMES_ENCODED {
        urls.extend(plain(&text, api));
        urls.extend(plain(&text.replace("&amp;", "&"), api));
        let decoded = decoded(&text);
        if decoded == text {
            break;
        }
        text = decoded;
    }
    urls
}

/// The address from where it begins to where it ends, read as it stands.
fn plain(text: &str, api: &Api) -> Vec<Url> {
    let uri = api.redirect_uri.url();
    let scheme = uri.scheme();
    // Browsers show addresses without their scheme, and some copy them so.
    let host = uri.host_str().unwrap_or_default();
    let small = text.to_ascii_lowercase();
    let begins = [small.find(&format!("{scheme}://{host}")), small.find(host)];
    let mut urls = Vec::new();
    for begin in begins.into_iter().flatten() {
        let rest = &text[begin..];
        // What mails and chats put around an address does not occur in one; at its very end a sentence may end, too.
        let rest = rest
            .split(['<', '>', '"', '“', '”', '«', '»', '`', '|', '\\'])
            .next()
            .unwrap_or_default();
        let short = rest.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '\'', '’', '*', '_']);
        for text in [rest, short] {
            let with_scheme = format!("{scheme}://{text}");
            let read = [text, &with_scheme]
                .into_iter()
                .filter_map(|text| Url::parse(text).ok());
            urls.extend(read.filter(|url| api.redirect_uri.is_reached_by(url)));
        }
    }
    urls
}

/// With what stands encoded in it put in its place, once.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex
            .filter(|_| *first == b'%')
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::account::RedirectUri;
    use crate::ids::{ApiName, ClientId};
    use crate::secret::ClientSecret;

    const STATE: &str = "S-1_x";

    fn found_code(pasted: &str) -> Option<String> {
        let api = Api {
            name: ApiName::new("PRIMARY").unwrap(),
            client_id: ClientId::new("key-1").unwrap(),
            client_secret: ClientSecret::new("CANARY"),
            redirect_uri: RedirectUri::new("http://localhost:28020/cb").unwrap(),
        };
        let state = OAuthState::new(STATE);
        let url = RedirectAddress::new(pasted).find(&api, &state)?;
        match Redirect::read(&url, &api, &state) {
            Redirect::Code(code) => Some(code.expose().to_owned()),
            Redirect::Foreign => Some("foreign".into()),
            Redirect::NotYet => Some("elsewhere".into()),
        }
    }

    #[rstest]
    #[case::plain("http://localhost:28020/cb?code=mk404x&state=S-1_x")]
    #[case::turned_round("http://localhost:28020/cb?state=S-1_x&code=mk404x")]
    #[case::without_scheme("localhost:28020/cb?code=mk404x&state=S-1_x")]
    #[case::capitals("HTTP://LOCALHOST:28020/cb?code=mk404x&state=S-1_x")]
    #[case::angle_brackets("<http://localhost:28020/cb?code=mk404x&state=S-1_x>")]
    #[case::quotes("\"http://localhost:28020/cb?code=mk404x&state=S-1_x\"")]
    #[case::curly_quotes("“http://localhost:28020/cb?code=mk404x&state=S-1_x”")]
    #[case::single_quotes("'http://localhost:28020/cb?code=mk404x&state=S-1_x'")]
    #[case::full_stop("http://localhost:28020/cb?code=mk404x&state=S-1_x.")]
    #[case::in_brackets("(http://localhost:28020/cb?code=mk404x&state=S-1_x).")]
    #[case::markdown("[the page](http://localhost:28020/cb?code=mk404x&state=S-1_x)")]
    #[case::slack("<http://localhost:28020/cb?code=mk404x&state=S-1_x|localhost>")]
    #[case::in_a_sentence("It ended at http://localhost:28020/cb?code=mk404x&state=S-1_x, what now?")]
    #[case::two_lines("http://localhost:28020/cb?code=mk4\r\n04x&state=S-1_x")]
    #[case::indented("> http://localhost:28020/cb?code=mk404x&sta\n  te=S-1_x\n")]
    #[case::quoted_printable("http://localhost:28020/cb?code=mk404x&sta=\r\nte=S-1_x")]
    #[case::encoded("http%3A%2F%2Flocalhost%3A28020%2Fcb%3Fcode%3Dmk404x%26state%3DS-1_x")]
    #[case::encoded_twice(
        "http%253A%252F%252Flocalhost%253A28020%252Fcb%253Fcode%253Dmk404x%2526state%253DS-1_x"
    )]
    #[case::query_encoded("http://localhost:28020/cb?code%3Dmk404x%26state%3DS-1_x")]
    #[case::in_html("http://localhost:28020/cb?code=mk404x&amp;state=S-1_x")]
    #[case::mail_filter(
        "https://eu.safelinks.example/?url=http%3A%2F%2Flocalhost%3A28020%2Fcb%3Fcode%3Dmk404x%26state%3DS-1_x&data=05"
    )]
    #[case::search_engine(
        "https://www.google.com/url?q=http://localhost:28020/cb%3Fcode%3Dmk404x%26state%3DS-1_x&sa=D"
    )]
    #[case::invisible("\u{feff}http://localhost:28020/cb?code=mk\u{200b}404x&state=S-1_x\u{200b}")]
    #[case::blanks("\t http://localhost:28020/cb?code=mk404x&state=S-1_x \u{a0}")]
    fn whatever_chats_and_mails_do_to_it_the_code_is_found(#[case] pasted: &str) {
        assert_eq!(found_code(pasted).as_deref(), Some("mk404x"));
    }

    #[rstest]
    #[case::other_state("http://localhost:28020/cb?code=mk404x&state=other", Some("foreign"))]
    #[case::no_code("http://localhost:28020/cb?state=S-1_x", Some("foreign"))]
    #[case::cut_off("http://localhost:28020/cb?code=mk404x&sta", Some("foreign"))]
    #[case::two_codes("http://localhost:28020/cb?code=a&code=b&state=S-1_x", Some("foreign"))]
    #[case::other_port("http://localhost:28021/cb?code=mk404x&state=S-1_x", None)]
    #[case::other_path("http://localhost:28020/cb/x?code=mk404x&state=S-1_x", None)]
    #[case::other_host("http://desk.example/cb?code=mk404x&state=S-1_x", None)]
    #[case::the_login_page("https://login.upstox.com/?code=mk404x&state=S-1_x", None)]
    #[case::code_alone("mk404x", None)]
    #[case::nothing("", None)]
    fn what_is_not_ours_gives_no_code(#[case] pasted: &str, #[case] expected: Option<&str>) {
        assert_eq!(found_code(pasted).as_deref(), expected);
    }

    #[test]
    fn a_flood_is_not_looked_through() {
        let flood = format!(
            "{}http://localhost:28020/cb?code=a&state={STATE}",
            "%25".repeat(LONGEST)
        );
        assert_eq!(found_code(&flood), None);
    }
}
