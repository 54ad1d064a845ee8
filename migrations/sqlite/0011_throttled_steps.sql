-- A step that Upstox throttles is open again, wherever it was: also while its code is exchanged.
DROP TRIGGER execution_steps_move_as_allowed;

CREATE TRIGGER execution_steps_move_as_allowed BEFORE UPDATE OF state ON execution_steps
WHEN (OLD.state, NEW.state) NOT IN (VALUES
    ('pending', 'signing_in'), ('pending', 'failed'), ('pending', 'skipped'),
    ('signing_in', 'pending'), ('signing_in', 'exchanging'), ('signing_in', 'done'), ('signing_in', 'failed'),
    ('exchanging', 'pending'), ('exchanging', 'verifying'), ('exchanging', 'done'), ('exchanging', 'failed'),
    ('verifying', 'pending'), ('verifying', 'done'), ('verifying', 'failed'),
    ('done', 'pending'),
    ('failed', 'pending'), ('failed', 'skipped'),
    ('skipped', 'pending'), ('skipped', 'skipped'))
BEGIN
    SELECT RAISE(ABORT, 'a step does not move this way');
END;
