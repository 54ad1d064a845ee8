//! The root key on disk: where it is, how it is read and written, which file belongs to a database, and how one file
//! replaces another. `sealing` decides what is sealed with the key.

mod choice;
pub(crate) mod key_source;
pub(crate) mod key_to_copy;
pub(crate) mod root_key;

pub(crate) use choice::{
    Fetched, FollowingKey, KeyInForce, fetch, held, held_next, keep_old, next_key, place_of_next,
    put_in_place, resolved,
};
