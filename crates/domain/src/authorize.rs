//! The two ends of an authorization: the link that the browser opens, and the redirect that it comes back with.
//! Source: developer documentation "Authorize". Errors are never redirected; the browser then shows JSON instead.

use url::Url;

use crate::account::Api;
use crate::secret::{AuthorizationCode, OAuthState};

/// The dialog's address for one API. It holds `state`, so it is never logged.
pub fn authorize_url(base: &Url, api: &Api, state: &OAuthState) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty()
            .extend(["v2", "login", "authorization", "dialog"]);
    }
    url.query_pairs_mut()
        .append_pair("client_id", api.client_id.as_str())
        .append_pair("redirect_uri", api.redirect_uri.as_str())
        .append_pair("response_type", "code")
        .append_pair("state", state.expose());
    url
}

/// What an address in the browser means for one attempt.
#[derive(Debug, Clone)]
pub enum Redirect {
    /// Somewhere else: still on the login pages.
    NotYet,
    /// At the redirect URI, but not with this attempt's `state` and exactly one code.
    Foreign,
    /// This attempt's code.
    Code(AuthorizationCode),
}

impl Redirect {
    /// Reads the address `url` for the attempt that sent `state` for `api`.
    pub fn read(url: &Url, api: &Api, state: &OAuthState) -> Self {
        if !api.redirect_uri.is_reached_by(url) {
            return Self::NotYet;
        }
        match Carried::by(url) {
            Some(carried) if carried.state == *state => Self::Code(carried.code),
            _ => Self::Foreign,
        }
    }
}

/// What a redirect carries, whosever it is.
#[derive(Debug, Clone)]
pub struct Carried {
    /// Names the attempt, if it is one of ours.
    pub state: OAuthState,
    /// What the attempt waits for.
    pub code: AuthorizationCode,
}

impl Carried {
    /// Reads the query of `url`: exactly one code and one state, neither of them empty.
    pub fn by(url: &Url) -> Option<Self> {
        let only = |key: &str| {
            let mut values = url
                .query_pairs()
                .filter(|(name, _)| name == key)
                .map(|(_, value)| value);
            let first = values.next().filter(|value| !value.is_empty());
            if values.next().is_some() { None } else { first }
        };
        Some(Self {
            state: OAuthState::new(only("state")?),
            code: AuthorizationCode::new(only("code")?),
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::account::RedirectUri;
    use crate::ids::{ApiName, ClientId};
    use crate::secret::ClientSecret;

    fn api() -> Api {
        Api {
            name: ApiName::new("PRIMARY").unwrap(),
            client_id: ClientId::new("key-1").unwrap(),
            client_secret: ClientSecret::new("CANARY"),
            redirect_uri: RedirectUri::new("http://localhost:28020/cb?desk=1").unwrap(),
        }
    }

    #[rstest]
    #[case("https://api.upstox.com")]
    #[case("https://api.upstox.com/")]
    fn the_dialog_gets_the_strings_as_registered(#[case] base: &str) {
        let url = authorize_url(&Url::parse(base).unwrap(), &api(), &OAuthState::new("a b&c"));
        assert_eq!(
            url.as_str(),
            "https://api.upstox.com/v2/login/authorization/dialog?client_id=key-1\
             &redirect_uri=http%3A%2F%2Flocalhost%3A28020%2Fcb%3Fdesk%3D1&response_type=code&state=a+b%26c"
        );
    }

    #[rstest]
    #[case::ours("http://localhost:28020/cb?desk=1&code=mk404x&state=S%2F1", "code mk404x")]
    #[case::login_page("https://login.upstox.com/?code=mk404x&state=S%2F1", "not yet")]
    #[case::internal_hop("http://localhost:28020/other?code=mk404x&state=S%2F1", "not yet")]
    #[case::wrong_state("http://localhost:28020/cb?code=mk404x&state=S%2F2", "foreign")]
    #[case::old_state_too("http://localhost:28020/cb?code=mk404x&state=old&state=S%2F1", "foreign")]
    #[case::no_state("http://localhost:28020/cb?code=mk404x", "foreign")]
    #[case::no_code("http://localhost:28020/cb?state=S%2F1", "foreign")]
    #[case::empty_code("http://localhost:28020/cb?code=&state=S%2F1", "foreign")]
    #[case::two_codes("http://localhost:28020/cb?code=a&code=b&state=S%2F1", "foreign")]
    #[case::state_as_prefix("http://localhost:28020/cb?code=mk404x&state=S%2F12", "foreign")]
    fn only_our_own_redirect_gives_a_code(#[case] url: &str, #[case] expected: &str) {
        let redirect = Redirect::read(&Url::parse(url).unwrap(), &api(), &OAuthState::new("S/1"));
        let seen = match redirect {
            Redirect::NotYet => "not yet".into(),
            Redirect::Foreign => "foreign".into(),
            Redirect::Code(code) => format!("code {}", code.expose()),
        };
        assert_eq!(seen, expected);
    }
}
