-- The log: every record's canonical bytes, in commit order. No row is ever updated or deleted.
CREATE TABLE records (
    idx BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created_at TEXT NOT NULL,
    canonical BYTEA NOT NULL,
    record_hash BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    key_id TEXT NOT NULL
);
CREATE INDEX records_created_at ON records (created_at, idx);

-- Under which terms a record is found.
CREATE TABLE terms (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    idx BIGINT NOT NULL,
    PRIMARY KEY (name, value, idx)
) /*without rowid*/;

-- How many records stand under a term ("name=value"), and gauges of open state ("gauge:name").
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
) /*without rowid*/;

-- Complete subtrees above the leaves: node (level, idx) covers 2^level leaves from idx * 2^level on.
CREATE TABLE nodes (
    level BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (level, idx)
) /*without rowid*/;

-- Where each trace's chain ends.
CREATE TABLE chain_heads (
    trace_id TEXT PRIMARY KEY,
    seq BIGINT NOT NULL,
    record_hash TEXT NOT NULL
) /*without rowid*/;

-- One row: the tree's size, the roots of its complete subtrees (32 bytes each, largest first), the newest record's time.
CREATE TABLE log_state (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
    size BIGINT NOT NULL,
    frontier BYTEA NOT NULL,
    last_created_at TEXT NOT NULL
);
INSERT INTO log_state (only_row, size, frontier, last_created_at) VALUES (1, 0, '', '');
