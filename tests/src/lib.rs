//! The world of a story: a simulated Upstox, an operator's desk with a `.env` of its own, the real `vega` binary and a
//! real browser. Nothing is shared between stories; every port is free, every folder fresh.

mod binaries;
mod clocks;
mod counts;
mod desk;
mod fake_driver;
mod leaks;
mod own_browser;
mod processes;
mod report;
mod terminal;
mod upstox;
mod window;

pub use clocks::it_is;
pub use counts::Counts;
pub use desk::{Desk, Ran};
pub use fake_driver::FakeDriver;
pub use leaks::Leaks;
pub use own_browser::{Opener, OwnBrowser, link_in};
pub use processes::{Stop, end_at_once, end_politely, until};
pub use report::Report;
pub use terminal::Terminal;
pub use upstox::Upstox;
pub use window::Window;
