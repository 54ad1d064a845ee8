//! Signs in through a visible browser: driver process, private session, page object, and a state machine over what is on
//! the screen. It types the mobile number and presses "Get OTP"; everything else is the human's. Whether a press is
//! allowed, and what a code is good for, is decided above.

mod dialog_answer;
mod driver;
mod driver_proof;
mod evidence;
mod flow;
mod login_page;
mod oauth_login_automation;
mod redirect_kept;
mod session;
mod settings;
mod sighting;
mod submission;
mod tabs;
mod verdict;
mod words;

pub use driver_proof::prove_driver;
pub use evidence::{Element, Fact, KeptEvidence, PageEvidence, evidence_of, kept, picture_of};
pub use login_page::LoginPage;
pub use oauth_login_automation::OAuthLoginAutomation;
pub use settings::{BrowserSettings, DriverSource};
pub use sighting::{Form, Sighting};
