//! The files that `[[files]]` in `vega.toml` describes: what is written into them, how a new one takes the place of the old one, and the
//! commands and signals around that. When a file is written is decided in `services`.

mod others_may_change;

mod content;
mod place;

mod blocking;
mod command;
mod redaction;

mod system_follow_up;
mod system_writer;

pub use others_may_change::OthersMayChange;
pub use system_follow_up::SystemFollowUpRunner;
pub use system_writer::SystemTokenFileWriter;
