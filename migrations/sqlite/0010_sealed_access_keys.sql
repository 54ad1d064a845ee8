-- An access key counts as Vega wrote it and in no other way: its hash is sealed into its row with the root key, so nobody
-- makes one, widens or revives one in the file alone. Keys from before cannot be sealed here, and are made anew.
DROP TABLE access_keys;

CREATE TABLE access_keys (
    id           BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name         TEXT NOT NULL,
    sealed_hash  BLOB NOT NULL,
    scopes       TEXT NOT NULL CHECK (scopes <> ''), -- as on the command line: token:PRIMARY,status
    created_at   TEXT NOT NULL,
    expires_at   TEXT,
    last_used_at TEXT,
    revoked_at   TEXT
) STRICT;

CREATE TRIGGER access_keys_stay_revoked BEFORE UPDATE OF revoked_at ON access_keys WHEN OLD.revoked_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a revoked key stays revoked');
END;
