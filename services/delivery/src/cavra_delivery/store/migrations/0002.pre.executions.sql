-- Execution ids that are used up: each began as one attempt, or was fenced for a reason so that it never begins. They stand in one table so
-- that of a send and a fence that meet, one wins on every engine.
CREATE TABLE executions (
    execution_id TEXT PRIMARY KEY,
    fenced_reason TEXT NOT NULL,
    served_at TEXT NOT NULL
) /*without rowid*/;
INSERT INTO executions (execution_id, fenced_reason, served_at)
SELECT execution_id, '', begun_at FROM attempts WHERE execution_id IS NOT NULL;
