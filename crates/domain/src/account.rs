//! Accounts and their APIs as the operator configured them.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::ids::{AccountId, ApiName, ClientId, MobileNumber, UserId};
use crate::invalid_value::InvalidValue;
use crate::reading;
use crate::secret::ClientSecret;

/// One Upstox login with its APIs.
#[derive(Debug, Clone)]
pub struct Account {
    /// The operator's name for it.
    pub id: AccountId,
    /// The number that Vega types on the login page; owns the OTP budget.
    pub mobile_number: MobileNumber,
    /// The person the tokens must belong to, if the operator pinned one.
    pub user_id: Option<UserId>,
    /// How its sign-ins are made.
    pub route: Route,
    /// In the order of the configuration, which is the order of signing in.
    pub apis: Vec<Api>,
}

/// How a human and a code come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Route {
    /// In one visible browser that Vega starts and watches.
    #[default]
    Webdriver,
    /// In any browser of the operator's: the code comes back to Vega's address, or is pasted.
    OwnBrowser,
}

impl Route {
    /// The word in settings and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webdriver => "webdriver",
            Self::OwnBrowser => "own-browser",
        }
    }
}

impl FromStr for Route {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let all = [Self::Webdriver, Self::OwnBrowser];
        let found = all.into_iter().find(|route| route.as_str() == text);
        found.ok_or_else(|| InvalidValue::new("route", "must be webdriver or own-browser"))
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One Upstox developer app.
#[derive(Debug, Clone)]
pub struct Api {
    /// Unique in the installation.
    pub name: ApiName,
    /// The app's key.
    pub client_id: ClientId,
    /// The app's secret.
    pub client_secret: ClientSecret,
    /// Where Upstox sends the browser back to.
    pub redirect_uri: RedirectUri,
}

/// A registered redirect URI. Upstox compares it as a string, so the text is kept byte for byte;
/// the redirect is recognised by scheme, host, port and path.
#[derive(Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    url: Url,
}

impl RedirectUri {
    /// Accepts an absolute `http` or `https` URL with a host, without fragment and without credentials.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
        let text = text.into();
        let refuse = |problem: &str| Err(InvalidValue::new("redirect URI", format!("{text:?} {problem}")));
        if text.trim() != text {
            return refuse("has spaces around it");
        }
        let url = match Url::parse(&text) {
            Ok(url) => url,
            Err(error) => return refuse(&format!("is not a URL ({error})")),
        };
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return refuse("must start with http:// or https:// and name a host");
        }
        if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return refuse("must hold no #fragment and no credentials");
        }
        Ok(Self { text, url })
    }

    /// Reads what a human or a file gives. What is left of it is kept byte for byte.
    pub fn read(text: &str) -> Result<Self, InvalidValue> {
        let text = reading::tidied(text);
        let text = match text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
            Some(inner) => inner.trim(),
            None => &text,
        };
        // Never repeated: such an address may be the one at which a sign-in ended.
        let refuse = |problem: &str| Err(InvalidValue::new("redirect URI", problem));
        if let Some(wrong) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
            return refuse(&format!(
                "must hold no blank and no line break, and holds {}",
                reading::called(wrong)
            ));
        }
        let uri = Self::new(text)?;
        let carries = |key| uri.url.query_pairs().any(|(name, _)| name == key);
        if carries("code") || carries("state") {
            return refuse(
                "must not carry code or state, which Upstox adds: write it as it is registered with the app",
            );
        }
        if uri.url.port() == Some(0) {
            return refuse("names port 0, at which nobody can listen");
        }
        Ok(uri)
    }

    /// The text as registered, for the dialog and the token call.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address, for those who listen at it.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it leads to the machine on which the browser is.
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
            None => false,
        }
    }

    /// Whether a browser at `url` has arrived here: same scheme, host, port and path.
    /// The query is not compared; it carries `code` and `state`.
    pub fn is_reached_by(&self, url: &Url) -> bool {
        self.url.scheme() == url.scheme()
            && self.url.host() == url.host()
            && self.url.port_or_known_default() == url.port_or_known_default()
            && self.url.path() == url.path()
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedirectUri({})", self.text)
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const REGISTERED: &str = "http://localhost:28020/api/v1/auth/upstox/callback";

    #[rstest]
    #[case::with_code("http://localhost:28020/api/v1/auth/upstox/callback?code=a&state=b", true)]
    #[case::other_host("http://127.0.0.1:28020/api/v1/auth/upstox/callback?code=a", false)]
    #[case::other_port("http://localhost:28021/api/v1/auth/upstox/callback?code=a", false)]
    #[case::other_scheme("https://localhost:28020/api/v1/auth/upstox/callback?code=a", false)]
    #[case::trailing_slash("http://localhost:28020/api/v1/auth/upstox/callback/?code=a", false)]
    #[case::longer_path("http://localhost:28020/api/v1/auth/upstox/callback/x?code=a", false)]
    #[case::inside_a_query(
        "http://evil.example/?next=http://localhost:28020/api/v1/auth/upstox/callback",
        false
    )]
    fn a_redirect_is_recognised_exactly(#[case] url: &str, #[case] reached: bool) {
        let uri = RedirectUri::new(REGISTERED).unwrap();
        assert_eq!(uri.is_reached_by(&Url::parse(url).unwrap()), reached);
    }

    #[test]
    fn a_default_port_may_be_written_or_not() {
        let uri = RedirectUri::new("https://desk.example/cb").unwrap();
        assert!(uri.is_reached_by(&Url::parse("https://desk.example:443/cb?code=a").unwrap()));
    }

    #[rstest]
    #[case("\u{feff}http://localhost:28020/cb ", "http://localhost:28020/cb")]
    #[case("\"http://localhost:28020/cb\"", "http://localhost:28020/cb")]
    #[case("<http://localhost:28020/cb>", "http://localhost:28020/cb")]
    #[case("“HTTP://Desk.example/Cb?x=1”", "HTTP://Desk.example/Cb?x=1")]
    fn what_stands_around_a_redirect_uri_is_taken_off_and_the_rest_kept(
        #[case] text: &str,
        #[case] kept: &str,
    ) {
        assert_eq!(RedirectUri::read(text).unwrap().as_str(), kept);
    }

    #[rstest]
    #[case::two_lines("http://localhost:28020/\ncb")]
    #[case::a_blank("http://localhost:28020/c b")]
    #[case::where_a_sign_in_ended("http://localhost:28020/cb?code=CANARY&state=CANARY")]
    #[case::state_alone("http://localhost:28020/cb?state=CANARY")]
    #[case::port_0("http://localhost:0/cb")]
    #[case::open_quote("\"http://localhost/cb")]
    #[case::two_of_them("http://localhost/a http://localhost/b")]
    fn a_redirect_uri_that_nothing_can_come_of_is_refused(#[case] text: &str) {
        let refused = RedirectUri::read(text).unwrap_err().to_string();
        assert!(!refused.contains("CANARY"), "{refused}");
    }

    #[rstest]
    #[case("")]
    #[case("localhost:28020/cb")]
    #[case("ftp://localhost/cb")]
    #[case(" http://localhost/cb")]
    #[case("http://localhost/cb#x")]
    #[case("http://me:pw@localhost/cb")]
    #[case("http://")]
    fn malformed_redirect_uris_are_refused(#[case] text: &str) {
        assert!(RedirectUri::new(text).is_err());
    }
}
