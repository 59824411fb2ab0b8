-- Items that tests move.
CREATE TABLE items (
    id TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    position BIGINT NOT NULL
) /*without rowid*/;
