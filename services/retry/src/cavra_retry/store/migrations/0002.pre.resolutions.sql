-- Resolutions of executions whose outcome was unknown, each once, and whether delivery has heard of it.
CREATE TABLE resolutions (
    execution_id TEXT PRIMARY KEY,
    resolution_id TEXT NOT NULL,
    told BIGINT NOT NULL
) /*without rowid*/;
CREATE INDEX resolutions_untold ON resolutions (execution_id) WHERE told = 0;
