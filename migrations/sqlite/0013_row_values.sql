-- Each row that decides something bears a keyed value over its columns and over the number of the audit entry that changed
-- it last. Rows from before get theirs at the first start, once, and never again.
ALTER TABLE upstox_tokens ADD COLUMN row_entry INTEGER;
ALTER TABLE upstox_tokens ADD COLUMN row_value BLOB CHECK (length(row_value) = 32);
ALTER TABLE access_keys ADD COLUMN row_entry INTEGER;
ALTER TABLE access_keys ADD COLUMN row_value BLOB CHECK (length(row_value) = 32);
ALTER TABLE console_links ADD COLUMN row_entry INTEGER;
ALTER TABLE console_links ADD COLUMN row_value BLOB CHECK (length(row_value) = 32);
ALTER TABLE console_sessions ADD COLUMN row_entry INTEGER;
ALTER TABLE console_sessions ADD COLUMN row_value BLOB CHECK (length(row_value) = 32);
ALTER TABLE cooldowns ADD COLUMN row_entry INTEGER;
ALTER TABLE cooldowns ADD COLUMN row_value BLOB CHECK (length(row_value) = 32);
ALTER TABLE otp_requests ADD COLUMN row_entry INTEGER;
ALTER TABLE otp_requests ADD COLUMN row_value BLOB CHECK (length(row_value) = 32);
ALTER TABLE sign_in_attempts ADD COLUMN row_entry INTEGER;
ALTER TABLE sign_in_attempts ADD COLUMN row_value BLOB CHECK (length(row_value) = 32);

-- The how manyth press of its number each one is: so one that is taken away is missed.
ALTER TABLE otp_requests ADD COLUMN position INTEGER;
UPDATE otp_requests SET position =
    (SELECT count(*) FROM otp_requests AS earlier
     WHERE earlier.mobile_number = otp_requests.mobile_number AND earlier.id <= otp_requests.id);

-- Which entry changed each row last, as of the trail's last entry, sealed as a whole: so an old row that is put back, or
-- a row that is taken away, is missed.
CREATE TABLE latest_changes (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    entry INTEGER NOT NULL,
    marks TEXT NOT NULL,
    value BLOB NOT NULL CHECK (length(value) = 32)
) STRICT;

-- A Vega from before, which runs on while this was made, would change rows without their values.
CREATE TRIGGER audit_events_are_in_step BEFORE INSERT ON audit_events
WHEN (SELECT entry FROM latest_changes) <> NEW.id
BEGIN
    SELECT RAISE(ABORT, 'the database was taken over by a newer Vega: start this program again');
END;
