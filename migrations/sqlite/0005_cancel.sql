-- Another process asks the holder of a run to end it.
ALTER TABLE execution_runs ADD COLUMN cancel_requested_at TEXT;
