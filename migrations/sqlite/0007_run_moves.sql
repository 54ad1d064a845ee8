-- A run that ended incomplete can be taken up again. Moves that vega-domain refuses are refused here too.
ALTER TABLE execution_runs ADD COLUMN resumed_at TEXT;

CREATE TRIGGER execution_runs_move_as_allowed BEFORE UPDATE OF state ON execution_runs
WHEN (OLD.state, NEW.state) NOT IN (VALUES
    ('planned', 'running'), ('planned', 'incomplete'), ('planned', 'cancelled'), ('planned', 'abandoned'),
    ('running', 'waiting'), ('running', 'completed'), ('running', 'incomplete'), ('running', 'cancelled'),
    ('running', 'abandoned'),
    ('waiting', 'running'), ('waiting', 'incomplete'), ('waiting', 'cancelled'), ('waiting', 'abandoned'),
    ('incomplete', 'running'), ('incomplete', 'abandoned'))
BEGIN
    SELECT RAISE(ABORT, 'a run does not move this way');
END;

CREATE TRIGGER execution_steps_move_as_allowed BEFORE UPDATE OF state ON execution_steps
WHEN (OLD.state, NEW.state) NOT IN (VALUES
    ('pending', 'signing_in'), ('pending', 'failed'), ('pending', 'skipped'),
    ('signing_in', 'pending'), ('signing_in', 'exchanging'), ('signing_in', 'done'), ('signing_in', 'failed'),
    ('exchanging', 'verifying'), ('exchanging', 'done'), ('exchanging', 'failed'),
    ('verifying', 'done'), ('verifying', 'failed'),
    ('done', 'pending'),
    ('failed', 'pending'), ('failed', 'skipped'),
    ('skipped', 'pending'), ('skipped', 'skipped'))
BEGIN
    SELECT RAISE(ABORT, 'a step does not move this way');
END;

-- Steps change while their run is active, and at no other time.
CREATE TRIGGER execution_steps_move_in_an_active_run BEFORE UPDATE OF state ON execution_steps
WHEN (SELECT state FROM execution_runs WHERE id = OLD.run_id) NOT IN ('planned', 'running', 'waiting')
BEGIN
    SELECT RAISE(ABORT, 'a step moves in an active run only');
END;

-- A run is completed only with every step done, or found good when its turn came.
CREATE TRIGGER execution_runs_complete_with_every_step BEFORE UPDATE OF state ON execution_runs
WHEN NEW.state = 'completed' AND EXISTS (
    SELECT 1 FROM execution_steps
    WHERE run_id = OLD.id AND state <> 'done' AND NOT (state = 'skipped' AND reason = 'already_servable'))
BEGIN
    SELECT RAISE(ABORT, 'a run is completed only with every step done');
END;
