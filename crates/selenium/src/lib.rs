//! Signs in through a visible browser: driver process, private session, page object, and a state machine over what is
//! on the screen. Types the mobile number and presses "Get OTP"; the human does everything else. The layers above
//! decide whether a press is allowed, and what is done with a code.

mod command;
mod dialog_answer;
mod driver;
mod driver_proof;
mod evidence;
mod examination;
mod flow;
mod frames;
#[cfg(target_os = "linux")]
mod keeper;
mod last_words;
mod launch;
mod login_page;
mod oauth_login_automation;
mod page_snapshot;
mod redaction;
mod redirect_kept;
mod scratch;
mod session;
mod settings;
mod start_failure;
mod submission;
mod tabs;
mod tied;
mod verdict;

pub use driver_proof::prove_driver;
pub use evidence::{FileEvidenceStore, PageEvidence};
pub use examination::Element;
#[cfg(target_os = "linux")]
pub use keeper::keep_if_asked;
pub use login_page::LoginPage;
pub use oauth_login_automation::OAuthLoginAutomation;
pub use page_snapshot::{Form, PageSnapshot};
pub use settings::{BrowserSettings, DriverSource};
pub use tied::Tied;

/// Keepers are for Linux; elsewhere there is nothing to ask.
#[cfg(not(target_os = "linux"))]
pub fn keep_if_asked() {}
