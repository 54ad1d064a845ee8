//! The sign-in adapter for any browser that the operator opens: shows the link to Upstox's dialog, and takes the code when it
//! comes back to the redirect URI or is pasted. The human does everything in between; no page is read here. `services` decides
//! what is done with a code. The journal says to which attempt it belongs, so any process of this installation may receive it.

mod addresses;
mod callback;
mod code_receiver;
mod own_browser;
mod redirect_file;
mod result_page;
mod server_check;
mod settings;

pub use callback::{CallbackRouter, CalledOver, callback_router, prove_callback};
pub use code_receiver::{CodeReceiver, Received};
pub use own_browser::OwnBrowser;
pub use settings::{OwnBrowserSettings, ServerPlace};
