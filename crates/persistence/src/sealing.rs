//! Values that only a holder of the root key can make or open: sealed values, fingerprints, the proof of a listener.
//! Names no database engine.

pub(crate) mod broken_seal;
pub(crate) mod fingerprint;
pub(crate) mod listener_proof;
pub(crate) mod row_values;
pub(crate) mod seal;
