//! What is said of a sealed value that does not open: how it came about, and a mark that tells it from others.

use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::sealing::seal::{Place, Unopened};

/// Why the value in this place does not open. `origin` is the place that it was sealed for, where that was found.
pub(crate) fn words(place: Place<'_>, why: Unopened, origin: Option<&str>) -> String {
    match (why, origin) {
        (_, Some(origin)) => {
            format!("{place} holds the value of {origin}: somebody moved it there, and it does not open")
        }
        (Unopened::Changed, None) => format!("{place} was changed outside Vega: it does not open"),
        (why, None) => format!("{place} {why}"),
    }
}

/// Tells one broken value from another without telling what is in it.
pub(crate) fn mark(envelope: &[u8]) -> String {
    hex(&Sha256::digest(envelope)[..4])
}
