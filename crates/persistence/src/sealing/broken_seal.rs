//! The message for a sealed value that does not open: the cause, and a mark that identifies the value.

use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::sealing::seal::{Place, WhyUnreadable};

/// Why the value in this place does not open. `origin` is the place that it was sealed for, if that was found.
pub(crate) fn words(place: Place<'_>, why: WhyUnreadable, origin: Option<&str>) -> String {
    match (why, origin) {
        (_, Some(origin)) => {
            format!("{place} holds the value of {origin}: somebody moved it there, and it does not open")
        }
        (WhyUnreadable::Changed, None) => format!("{place} was changed outside Vega: it does not open"),
        (why, None) => format!("{place} {why}"),
    }
}

/// Identifies a broken value without revealing its content.
pub(crate) fn mark(envelope: &[u8]) -> String {
    hex(&Sha256::digest(envelope)[..4])
}
