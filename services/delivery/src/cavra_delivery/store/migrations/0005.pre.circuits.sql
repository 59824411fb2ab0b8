-- What the last sends of each connector came to, so that a receiver that fails is left alone across restarts.
CREATE TABLE circuits (
    provider TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    opened_at TEXT
) /*without rowid*/;
