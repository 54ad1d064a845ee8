//! Signs in through any browser of the operator's own: shows the link to Upstox's dialog, and takes the code when it comes
//! back to the redirect URI or is pasted. The human does everything in between; nothing here looks at a page. What a code
//! is good for is decided above; which attempt it belongs to says the journal, so any process of this installation may
//! receive it.

mod addresses;
mod callback;
mod code_receiver;
mod own_browser;
mod redirect_file;
mod result_page;
mod server;
mod settings;

pub use callback::{CallbackRouter, callback_router, prove_callback};
pub use code_receiver::{CodeReceiver, Received};
pub use own_browser::OwnBrowser;
pub use settings::OwnBrowserSettings;
