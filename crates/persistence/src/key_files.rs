//! The root key on disk: where it is, how it is read and written, which file is the right one for a database and how one takes
//! another's place. What is sealed with it is decided in `sealing`.

mod choice;
pub(crate) mod key_source;
pub(crate) mod root_key;

pub(crate) use choice::{Fetched, KeyInForce, fetch, keep_old, next_key, put_in_place, resolved};
