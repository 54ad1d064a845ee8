-- When a cooldown began is also told by the time since boot, which nobody sets, and its end by its length.
CREATE TABLE cooldowns_by_length (
    mobile_number TEXT NOT NULL PRIMARY KEY,
    account       TEXT NOT NULL,
    since         TEXT NOT NULL,
    boot          TEXT,
    since_boot_ms INTEGER,
    length_ms     INTEGER CHECK (length_ms > 0),
    reason        TEXT NOT NULL,
    detail        TEXT NOT NULL,
    CHECK ((boot IS NULL) = (since_boot_ms IS NULL))
) STRICT;

-- Until now there were stops alone.
INSERT INTO cooldowns_by_length (mobile_number, account, since, reason, detail)
    SELECT mobile_number, account, since, reason, detail FROM cooldowns WHERE closed_until IS NULL;

DROP TABLE cooldowns;
ALTER TABLE cooldowns_by_length RENAME TO cooldowns;
