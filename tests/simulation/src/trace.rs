//! What happened, in order: the lines of the day under way, and a digest of all lines since the campaign began. Two
//! campaigns with one seed have one digest. No secret and no random id gets in.

use std::fmt::Write;
use std::sync::Mutex;

use sha2::{Digest, Sha256};

use crate::locked::locked;

#[derive(Default)]
struct Kept {
    day: Vec<String>,
    all: Sha256,
}

/// The record of a campaign.
#[derive(Default)]
pub(crate) struct Trace(Mutex<Kept>);

impl Trace {
    pub(crate) fn add(&self, line: String) {
        let mut kept = locked(&self.0);
        kept.all.update(line.as_bytes());
        kept.all.update(b"\n");
        kept.day.push(line);
    }

    /// The lines since the last call.
    pub(crate) fn take_day(&self) -> Vec<String> {
        std::mem::take(&mut locked(&self.0).day)
    }

    /// Of everything so far, in hex.
    pub(crate) fn digest(&self) -> String {
        hex(&locked(&self.0).all.clone().finalize()[..8])
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing into a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
