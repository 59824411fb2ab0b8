-- Which resolution, in retry's log, said what became of an execution whose outcome was unknown.
CREATE TABLE resolutions (
    execution_id TEXT PRIMARY KEY,
    resolution_id TEXT NOT NULL,
    record_hash TEXT NOT NULL
) /*without rowid*/;
