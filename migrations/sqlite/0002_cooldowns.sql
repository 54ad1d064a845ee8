-- Logins that are closed: until a time (a cooldown), or, without one, until the operator's word (a stop).
CREATE TABLE cooldowns (
    mobile_number TEXT NOT NULL PRIMARY KEY,
    account       TEXT NOT NULL,
    since         TEXT NOT NULL,
    closed_until  TEXT,
    reason        TEXT NOT NULL,
    detail        TEXT NOT NULL
) STRICT;
