-- Which programs were seen to use which token. Nothing is decided by it: whom the operator has stopped is kept in the list of latest changes.
CREATE TABLE consumers (
    identity      TEXT NOT NULL,
    own_name      TEXT NOT NULL, -- empty where it gives itself none
    api           TEXT NOT NULL,
    identity_name TEXT NOT NULL,
    access_path   TEXT NOT NULL,
    generation    INTEGER, -- NULL before its first token
    moved_at      TEXT,
    last_seen_at  TEXT NOT NULL,
    PRIMARY KEY (identity, own_name, api)
) STRICT;
