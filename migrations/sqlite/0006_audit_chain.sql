-- Each audit entry seals the one before it with a key. Entries from before have no value; the first that has one seals
-- them all.
ALTER TABLE audit_events ADD COLUMN chain BLOB CHECK (length(chain) = 32);

-- Which trail this is, for what is kept of it outside: several databases may share one key.
CREATE TABLE audit_chain (
    id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    chain_id BLOB NOT NULL CHECK (length(chain_id) = 16)
) STRICT;

INSERT INTO audit_chain (id, chain_id) VALUES (1, randomblob(16));

CREATE TRIGGER audit_events_are_chained BEFORE INSERT ON audit_events WHEN NEW.chain IS NULL
BEGIN
    SELECT RAISE(ABORT, 'audit events are chained');
END;
