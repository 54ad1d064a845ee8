//! What this route needs to know; found and checked by the settings of the whole program.

use std::ffi::OsString;
use std::time::Duration;

use url::Url;

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
}
