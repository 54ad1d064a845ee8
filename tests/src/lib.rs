//! The world of a story: a simulated Upstox, an operator's desk with a `.env` of its own, the real `vega` binary and a
//! real browser. Nothing is shared between stories; every port is free, every folder fresh.

mod binaries;
mod clocks;
mod counts;
mod desk;
mod examination;
mod fake_driver;
mod front;
mod hold_ups;
mod human;
mod leaks;
mod own_browser;
mod processes;
mod promises;
mod report;
mod screen;
mod server;
mod terminal;
mod upstox;
mod window;
mod wire;

pub use binaries::{programs, python};
pub use clocks::it_is;
pub use counts::Counts;
pub use desk::{Desk, Engine, Ran};
pub use examination::Examination;
pub use fake_driver::FakeDriver;
pub use front::Front;
pub use hold_ups::is_held_up;
pub use human::{Deeds, Human, Opened};
pub use leaks::Leaks;
pub use own_browser::{Opener, OwnBrowser, link_in};
pub use processes::{Stop, end_at_once, end_politely, hold_up, let_go_on, until};
pub use promises::Promises;
pub use report::Report;
pub use screen::Screen;
pub use server::{Answer, Caller, CurlEvents, Server};
pub use terminal::Terminal;
pub use upstox::Upstox;
pub use window::Window;
pub use wire::{Events, Request};

/// What a harness has to tell goes to its output.
#[expect(clippy::print_stdout, reason = "the harnesses' programs tell what they find")]
pub fn say(words: &str) {
    println!("{words}");
}
