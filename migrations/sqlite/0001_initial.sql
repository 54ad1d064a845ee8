-- The first schema. Times are UTC text in RFC 3339, ids are 16-byte blobs, sealed values are envelopes of vega-persistence.
PRAGMA application_id = 0x56454741; -- 'VEGA'

CREATE TABLE upstox_tokens (
    api                   TEXT NOT NULL,
    generation            INTEGER NOT NULL CHECK (generation >= 1),
    account               TEXT NOT NULL,
    client_id             TEXT NOT NULL,
    user_id               TEXT NOT NULL,
    sealed_access_token   BLOB NOT NULL,
    sealed_extended_token BLOB,
    issued_at             TEXT NOT NULL,
    valid_until           TEXT NOT NULL,
    verified_at           TEXT,
    rejected_at           TEXT,
    last_check_at         TEXT,
    last_check_result     TEXT CHECK (last_check_result IN ('valid', 'invalid', 'unknown')),
    last_check_reason     TEXT,
    PRIMARY KEY (api, generation),
    CHECK ((last_check_at IS NULL) = (last_check_result IS NULL)),
    CHECK ((last_check_reason IS NOT NULL) = (last_check_result IS 'unknown'))
) STRICT;

CREATE TABLE execution_runs (
    id          BLOB NOT NULL PRIMARY KEY,
    state       TEXT NOT NULL CHECK (state IN
                    ('planned', 'running', 'waiting', 'completed', 'incomplete', 'cancelled', 'abandoned')),
    started_at  TEXT NOT NULL,
    finished_at TEXT
) STRICT;

-- One active run at most, whoever starts it.
CREATE UNIQUE INDEX one_active_run ON execution_runs ((1)) WHERE state IN ('planned', 'running', 'waiting');

CREATE TABLE execution_steps (
    run_id     BLOB NOT NULL REFERENCES execution_runs (id),
    api        TEXT NOT NULL,
    account    TEXT NOT NULL,
    position   INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN
                   ('pending', 'signing_in', 'exchanging', 'verifying', 'done', 'failed', 'skipped')),
    reason     TEXT,
    detail     TEXT,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (run_id, api),
    CHECK ((reason IS NOT NULL) = (state IN ('failed', 'skipped')))
) STRICT;

CREATE TABLE sign_in_attempts (
    id               BLOB NOT NULL PRIMARY KEY,
    run_id           BLOB NOT NULL REFERENCES execution_runs (id),
    account          TEXT NOT NULL,
    api              TEXT NOT NULL,
    client_id        TEXT NOT NULL,
    generation       INTEGER NOT NULL CHECK (generation >= 1),
    state_hash       BLOB NOT NULL UNIQUE,
    status           TEXT NOT NULL CHECK (status IN ('opened', 'code_sealed', 'answered', 'stored', 'closed')),
    opened_at        TEXT NOT NULL,
    exchange_sent_at TEXT,
    answered_at      TEXT,
    closed_at        TEXT,
    failure          TEXT,
    failure_detail   TEXT,
    sealed_code      BLOB,
    answer_status    INTEGER,
    answer_complete  INTEGER CHECK (answer_complete IN (0, 1)),
    sealed_answer    BLOB,
    CHECK (status NOT IN ('code_sealed', 'answered') OR exchange_sent_at IS NOT NULL),
    CHECK ((closed_at IS NOT NULL) = (status IN ('stored', 'closed')))
) STRICT;

-- The OTP ledger: one row per press of "Get OTP", written before the press. At most one per attempt.
CREATE TABLE otp_requests (
    attempt_id    BLOB NOT NULL PRIMARY KEY REFERENCES sign_in_attempts (id),
    mobile_number TEXT NOT NULL,
    requested_at  TEXT NOT NULL
) STRICT;

CREATE INDEX otp_requests_by_number ON otp_requests (mobile_number, requested_at);

-- Names the holder of the kernel lock; the lock itself decides.
CREATE TABLE login_lease (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    pid   INTEGER NOT NULL,
    host  TEXT NOT NULL,
    since TEXT NOT NULL
) STRICT;

CREATE TABLE audit_events (
    id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at      TEXT NOT NULL,
    kind    TEXT NOT NULL,
    account TEXT,
    api     TEXT,
    run_id  BLOB,
    detail  TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_events_are_never_changed BEFORE UPDATE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed');
END;

CREATE TRIGGER audit_events_are_never_removed BEFORE DELETE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'audit events are never removed');
END;
