-- Which commands were sent with an Idempotency-Key, and what was answered. Rows are removed a day after they were made.
CREATE TABLE idempotency_keys (
    id BYTEA PRIMARY KEY,
    request_hash BYTEA NOT NULL,
    holder TEXT NOT NULL,
    reserved_at TEXT NOT NULL,
    written TEXT NOT NULL,
    response BYTEA
);
CREATE INDEX idempotency_keys_reserved_at ON idempotency_keys (reserved_at);
