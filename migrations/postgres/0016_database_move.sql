-- Where this database is going to or has gone, or where it comes from: no two databases count at one time, and none is written to that
-- is not where programs look for it.
CREATE TABLE database_move (
    id      bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    state   text COLLATE "C" NOT NULL CHECK (state IN ('leaving', 'gone', 'arriving')),
    url     text COLLATE "C" NOT NULL,
    machine text COLLATE "C" NOT NULL, -- whose file it is, where the URL names one
    since   text COLLATE "C" NOT NULL
);

-- Entries from before there were chain values arrive without one; the function below asks all others for it.
ALTER TABLE audit_events ALTER COLUMN chain DROP NOT NULL;

-- What arrives keeps its numbers, and is counted when all of it is there.
CREATE OR REPLACE FUNCTION vega_number_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moving text;
BEGIN
    SELECT state INTO moving FROM database_move;
    IF moving = 'arriving' THEN
        RETURN NEW;
    END IF;
    IF moving = 'gone' THEN
        RAISE EXCEPTION 'the database has moved away';
    END IF;
    IF NEW.chain IS NULL THEN
        RAISE EXCEPTION 'audit events are chained';
    END IF;
    UPDATE writer SET last_entry = NEW.id WHERE last_entry = NEW.id - 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'audit entry % does not follow the last one', NEW.id;
    END IF;
    IF EXISTS (SELECT 1 FROM latest_changes WHERE entry <> NEW.id) THEN
        RAISE EXCEPTION 'the database was taken over by a newer Vega: start this program again';
    END IF;
    RETURN NEW;
END $$;

-- What arrives takes the place of all that was there, in the same transaction.
CREATE FUNCTION vega_keep_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM database_move WHERE state = 'arriving') THEN
        RAISE EXCEPTION 'audit events are never removed';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER audit_events_are_never_emptied ON audit_events;
CREATE TRIGGER audit_events_are_never_emptied BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION vega_keep_entries();
