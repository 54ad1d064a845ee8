//! The files that `[[files]]` in `vega.toml` describes: what is written into them, how a new one takes the place of the old one, and the
//! commands and signals around that. When a file is written is decided in `services`.

mod command;
mod content;
mod place;
mod redaction;
mod system_writer;

pub use system_writer::{OthersMayChange, SystemTokenFileWriter};
