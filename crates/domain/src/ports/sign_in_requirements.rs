//! What a sign-in needs of this machine, looked at without beginning one. What follows from it is decided in `orchestration`.

use std::error::Error;

use async_trait::async_trait;

use crate::account::RedirectUri;

/// Why a requirement is not met, and what to do, in words for the operator.
pub type Unmet = Box<dyn Error + Send + Sync>;

/// Whether a human sees Vega's browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrowserWindow {
    /// OTP and PIN can be typed in it.
    Shown,
    /// They have to be asked for elsewhere.
    Headless,
}

/// Looks at this machine. No window opens, and nothing is asked of anybody.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SignInRequirements: Send + Sync {
    /// MUST fail where what is sealed now could not be read later (`a_key_file_that_changes_after_the_start_is_named`).
    fn key(&self) -> Result<(), Unmet>;

    /// MUST fail where no browser can be driven here (`it_is_said_before_anybody_is_asked`,
    /// `a_driver_that_does_not_work_is_named`).
    async fn browser(&self) -> Result<BrowserWindow, Unmet>;

    /// MUST fail, with the reason, where no code could come back to this redirect URI
    /// (`a_redirect_port_that_is_taken_is_named_where_nobody_can_paste`).
    async fn callback(&self, uri: &RedirectUri) -> Result<(), Unmet>;

    /// Whether links to sign in at are opened here, also where nobody could read them.
    fn opens_links(&self) -> bool;
}
