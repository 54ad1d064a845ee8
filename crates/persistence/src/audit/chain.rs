//! The keyed hash chain of the audit trail. Each entry's value seals the entry and the value before it, so that nobody
//! without the root key can change, move or remove an entry unnoticed. The chain seals the type and the bytes that the
//! database stores, not their meaning.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::key_files::root_key::{RootKey, keyed};
use crate::sql::value::Stored;
use crate::sql::{FromRow, Row};

/// Keeps this key apart from every other use of the root key.
const CONTEXT: &[u8] = b"vega audit chain 1";

/// Labels of an entry by a Vega without row values, and of one by a Vega with row values. They differ so that nobody
/// can make a database look like an older one, to have its changed rows sealed.
const ENTRY_OF_BEFORE: &[u8] = b"entry";
const ENTRY: &[u8] = b"entry beside row values";

pub(crate) const VALUE_LEN: usize = 32;

/// The value of one entry.
pub(crate) type Value = [u8; VALUE_LEN];

/// Makes chain values.
pub(crate) struct AuditChain(Hmac<Sha256>);

impl fmt::Debug for AuditChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditChain([redacted])")
    }
}

/// One entry as it is stored: for each column, the name of its kind, and its bytes.
#[derive(Debug)]
pub(crate) struct RawRow {
    pub(crate) id: i64,
    sealed: [RawValue; 6],
    chain: RawValue,
}

/// What one column holds.
#[derive(Debug)]
struct RawValue {
    kind: &'static str,
    bytes: Option<Vec<u8>>,
}

impl RawValue {
    fn of(row: &Row, column: &str) -> Self {
        // What no Vega writes is of a kind that fits nothing.
        let stored = row.stored(column).ok();
        Self {
            kind: stored.map_or("other", Stored::kind),
            bytes: stored.and_then(Stored::bytes).map(<[u8]>::to_vec),
        }
    }
}

impl FromRow for RawRow {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let sealed = ["at", "kind", "account", "api", "run_id", "detail"];
        Ok(Self {
            id: row.try_get("id")?,
            sealed: sealed.map(|column| RawValue::of(row, column)),
            chain: RawValue::of(row, "chain"),
        })
    }
}

impl RawRow {
    /// Whether the entry has a value.
    pub(crate) fn is_chained(&self) -> bool {
        self.chain.kind != Stored::Null.kind()
    }

    /// Whether the entry has this value.
    pub(crate) fn bears(&self, value: &Value) -> bool {
        self.chain.kind == "blob" && self.chain.bytes.as_deref() == Some(value)
    }

    /// Kind and bytes of all that is sealed, in order.
    fn columns(&self) -> [(&str, Option<&[u8]>); 6] {
        self.sealed
            .each_ref()
            .map(|value| (value.kind, value.bytes.as_deref()))
    }
}

/// One entry about to be stored.
pub(crate) struct NewRow<'a> {
    pub(crate) id: i64,
    pub(crate) at: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) account: Option<&'a str>,
    pub(crate) api: Option<&'a str>,
    pub(crate) run_id: Option<&'a [u8]>,
    pub(crate) detail: &'a str,
}

impl NewRow<'_> {
    fn columns(&self) -> [(&str, Option<&[u8]>); 6] {
        let text = |text: Option<&'_ str>| text.map_or("null", |_| "text");
        [
            ("text", Some(self.at.as_bytes())),
            ("text", Some(self.kind.as_bytes())),
            (text(self.account), self.account.map(str::as_bytes)),
            (text(self.api), self.api.map(str::as_bytes)),
            (self.run_id.map_or("null", |_| "blob"), self.run_id),
            ("text", Some(self.detail.as_bytes())),
        ]
    }
}

impl AuditChain {
    pub(crate) fn new(key: &RootKey) -> Self {
        Self::of_chain_key(chain_key(key).as_slice())
    }

    /// Makes a chain from the chain key of an earlier root key.
    pub(crate) fn of_chain_key(key: &[u8]) -> Self {
        Self(keyed(key))
    }

    /// The value that the first entry of this trail is chained to.
    pub(crate) fn beginning(&self, chain_id: &[u8]) -> Value {
        self.seal(&[b"beginning", chain_id])
    }

    /// The value of a stored entry that follows the value `before`.
    pub(crate) fn of_stored(&self, before: &Value, row: &RawRow) -> Value {
        // An entry that lost its value is not one that never had one.
        if !row.is_chained() {
            return self.next(b"entry without a value", before, row.id, row.columns());
        }
        let of_before = self.next(ENTRY_OF_BEFORE, before, row.id, row.columns());
        if row.bears(&of_before) {
            return of_before;
        }
        self.next(ENTRY, before, row.id, row.columns())
    }

    /// Whether this entry was made by a Vega that keeps row values.
    pub(crate) fn is_beside_row_values(&self, before: &Value, row: &RawRow) -> bool {
        row.bears(&self.next(ENTRY, before, row.id, row.columns()))
    }

    /// The value that an earlier Vega would have given to an entry.
    #[cfg(test)]
    pub(crate) fn of_before(&self, before: &[u8], row: &RawRow) -> Value {
        self.next(ENTRY_OF_BEFORE, before, row.id, row.columns())
    }

    /// The value of an entry that is about to be stored after the value `before`.
    pub(crate) fn of_entry(&self, before: &[u8], row: &NewRow<'_>) -> Value {
        self.next(ENTRY, before, row.id, row.columns())
    }

    fn next(&self, kind: &[u8], before: &[u8], id: i64, columns: [(&str, Option<&[u8]>); 6]) -> Value {
        let id = id.to_be_bytes();
        let mut parts: Vec<&[u8]> = vec![kind, before, &id];
        for (kind, bytes) in columns {
            parts.extend([kind.as_bytes(), bytes.unwrap_or_default()]);
        }
        self.seal(&parts)
    }

    /// Writes the length of each part before it, so that no two lists of parts give the same bytes.
    fn seal(&self, parts: &[&[u8]]) -> Value {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// The part of a root key that a rotation keeps, so that the entries made with that key can still be examined.
pub(crate) fn chain_key(key: &RootKey) -> Zeroizing<[u8; 32]> {
    key.derive_bytes(CONTEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> AuditChain {
        let dir = tempfile::tempdir().unwrap();
        AuditChain::new(&RootKey::create(&dir.path().join("key")).unwrap())
    }

    #[test]
    fn a_border_between_parts_counts() {
        let chain = chain();
        let row = |kind: &'static str, account: Option<&'static str>| NewRow {
            id: 1,
            at: "2026-11-23T00:00:00+00:00",
            kind,
            account,
            api: None,
            run_id: None,
            detail: "",
        };
        let before = chain.beginning(b"one");
        let value = |row: &NewRow<'_>| chain.of_entry(&before, row);
        // One run of bytes, were it not for the lengths: `text` is the name of both columns' type.
        assert_ne!(value(&row("a", Some("btextc"))), value(&row("atextb", Some("c"))));
        assert_ne!(value(&row("a", None)), value(&row("a", Some(""))));
        let second = NewRow {
            id: 2,
            ..row("a", None)
        };
        assert_ne!(value(&row("a", None)), value(&second));
        assert_ne!(before, chain.beginning(b"two"));
    }
}
