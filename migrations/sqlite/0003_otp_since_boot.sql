-- When a press was made is also told by the time since boot, which nobody sets, and by its number, which only grows.
CREATE TABLE otp_requests_numbered (
    id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    attempt_id     BLOB NOT NULL UNIQUE REFERENCES sign_in_attempts (id),
    mobile_number  TEXT NOT NULL,
    requested_at   TEXT NOT NULL,
    boot           TEXT,
    since_boot_ms  INTEGER,
    CHECK ((boot IS NULL) = (since_boot_ms IS NULL))
) STRICT;

INSERT INTO otp_requests_numbered (attempt_id, mobile_number, requested_at)
    SELECT attempt_id, mobile_number, requested_at FROM otp_requests ORDER BY requested_at;

DROP TABLE otp_requests;
ALTER TABLE otp_requests_numbered RENAME TO otp_requests;
CREATE INDEX otp_requests_by_number ON otp_requests (mobile_number, id);
