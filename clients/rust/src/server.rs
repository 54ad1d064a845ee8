//! Tokens of a Vega server. One task per source follows the server's events into memory; programs read from there.

mod address;
mod backoff;
mod builder;
mod calls;
mod failure;
mod follower;
mod key_file;
mod kind;
mod memory;
mod runtime_dir;
mod server_tokens;
mod shared_memory;
mod timing;
mod wire;

#[cfg(test)]
mod scripted_server;
#[cfg(test)]
mod tests;

pub use builder::{Server, ServerBuilder};
pub use server_tokens::ServerTokens;
