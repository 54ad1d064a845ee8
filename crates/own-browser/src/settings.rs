//! What this route needs to know; found and checked by the settings of the whole program.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use url::Url;
use vega_domain::account::RedirectUri;
use vega_listening::Scheme;

/// Settings of the own-browser route.
#[derive(Debug, Clone)]
pub struct OwnBrowserSettings {
    /// Where the dialog is: `https://api.upstox.com`.
    pub authorize_base: Url,
    /// Longest wait for the human, from the link to the code.
    pub human_timeout: Duration,
    /// Open each link in the system's browser, besides showing it.
    pub open_links: bool,
    /// The environment of a browser that is opened: the program's own, without anything of Vega's.
    pub environment: Vec<(OsString, OsString)>,
    /// Where a server of this installation takes codes.
    pub server: ServerPlace,
}

/// Where this machine's `vega-server` listens, and what it is called elsewhere.
#[derive(Debug, Clone)]
pub struct ServerPlace {
    /// How it is spoken to at its address.
    pub scheme: Scheme,
    /// Where a program of this machine reaches it; `None` where it takes connections of proxies alone.
    pub address: Option<SocketAddr>,
    /// Whether servers of other machines have the same database, and may be those that the name leads to.
    pub is_one_of_several: bool,
    /// Its name for others: scheme, host and port.
    pub public_url: Option<Url>,
}

impl ServerPlace {
    /// Whether a redirect URI leads to its name.
    pub(crate) fn is_named_by(&self, uri: &RedirectUri) -> bool {
        let public = self.public_url.as_ref();
        public.is_some_and(|public| public.origin() == uri.url().origin())
    }
}
