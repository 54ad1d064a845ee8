//! How Vega's programs listen: connections and their limits, whose place is given up when there are too many, and which
//! program listens at an address. What is answered there is the caller's.

mod holder;
mod places;
mod serve;
mod who;

pub use holder::{Holder, holder_of};
pub use places::{Limits, Places, Visitor};
pub use serve::{CalledAt, serve};
pub use who::{CHALLENGE, Listener, who_listens};
