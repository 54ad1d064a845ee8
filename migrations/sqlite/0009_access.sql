-- Who may call the server. Of a secret there is only its SHA-256. Expired keys keep their row, so that the trail's ids
-- have names.
CREATE TABLE access_keys (
    id           BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name         TEXT NOT NULL,
    key_hash     BLOB NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    scopes       TEXT NOT NULL CHECK (scopes <> ''), -- as on the command line: token:PRIMARY,status
    created_at   TEXT NOT NULL,
    expires_at   TEXT,
    last_used_at TEXT,
    revoked_at   TEXT
) STRICT;

-- A key that is revoked stays so.
CREATE TRIGGER access_keys_stay_revoked BEFORE UPDATE OF revoked_at ON access_keys WHEN OLD.revoked_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a revoked key stays revoked');
END;

CREATE TABLE console_links (
    code_hash BLOB NOT NULL PRIMARY KEY CHECK (length(code_hash) = 32),
    made_at   TEXT NOT NULL
) STRICT;

CREATE TABLE console_sessions (
    id           BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    secret_hash  BLOB NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    opened_at    TEXT NOT NULL,
    last_seen_at TEXT NOT NULL
) STRICT;
