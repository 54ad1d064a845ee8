-- Tokens that were brought to files: what follows a delivery goes on until it has succeeded, also when Vega dies in between, and is
-- never done again. One row for each file of a machine, of the latest delivery.
CREATE TABLE file_deliveries (
    machine    BLOB    NOT NULL CHECK (length(machine) = 16), -- all zero where a machine has the database to itself
    path       BLOB    NOT NULL,
    api        TEXT    NOT NULL,
    generation INTEGER NOT NULL CHECK (generation > 0),
    version    TEXT    NOT NULL, -- a generation comes twice where a database lost the first one
    on_expiry  TEXT    NOT NULL CHECK (on_expiry IN ('remove', 'keep')),
    held       BLOB    CHECK (length(held) = 32),    -- SHA-256 of what was there before
    written    BLOB    CHECK (length(written) = 32), -- of what this delivery writes, on record before it is in place
    state      TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'ended')),
    since      TEXT    NOT NULL,
    tried_at   TEXT,    -- the last try that failed
    tries      INTEGER, -- how many failed one after the other
    problem    TEXT,
    detail     TEXT,
    row_entry  INTEGER,
    row_value  BLOB    CHECK (length(row_value) = 32),
    PRIMARY KEY (machine, path)
) STRICT;
