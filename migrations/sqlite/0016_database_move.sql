-- Where this database is going to or has gone, or where it comes from: no two databases count at one time, and none is written to that
-- is not where programs look for it.
CREATE TABLE database_move (
    id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    state   TEXT NOT NULL CHECK (state IN ('leaving', 'gone', 'arriving')),
    url     TEXT NOT NULL,
    machine TEXT NOT NULL, -- whose file it is, where the URL names one
    since   TEXT NOT NULL
) STRICT;

-- Entries from before there were chain values arrive without one.
DROP TRIGGER audit_events_are_chained;

CREATE TRIGGER audit_events_are_chained BEFORE INSERT ON audit_events
WHEN NEW.chain IS NULL AND NOT EXISTS (SELECT 1 FROM database_move WHERE state = 'arriving')
BEGIN
    SELECT RAISE(ABORT, 'audit events are chained');
END;

-- A trail that goes on elsewhere ends here.
CREATE TRIGGER audit_events_have_not_gone BEFORE INSERT ON audit_events
WHEN EXISTS (SELECT 1 FROM database_move WHERE state = 'gone')
BEGIN
    SELECT RAISE(ABORT, 'the database has moved away');
END;
