-- Accounts whose sign-ins are closed: until a time (a cooldown), or, without one, until the operator's word (a stop).
CREATE TABLE cooldowns (
    account      TEXT NOT NULL PRIMARY KEY,
    since        TEXT NOT NULL,
    closed_until TEXT,
    reason       TEXT NOT NULL,
    detail       TEXT NOT NULL
) STRICT;
