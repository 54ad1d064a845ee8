-- Which root key seals this database. No other key is ever taken for it, and none is made over it.
CREATE TABLE seal_key (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    key_id     BLOB NOT NULL CHECK (length(key_id) = 8),
    rotated_at TEXT
) STRICT;

-- The audit trail's chain keys of earlier root keys, each up to the last entry that it made, sealed with the key in force.
CREATE TABLE audit_chain_keys (
    last_entry INTEGER NOT NULL PRIMARY KEY CHECK (last_entry > 0),
    sealed_key BLOB NOT NULL
) STRICT;

-- The access token of an erased row is gone: its column is empty.
ALTER TABLE upstox_tokens ADD COLUMN erased_at TEXT;
