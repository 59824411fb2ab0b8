-- The newest checkpoint that was signed: none before the first.
CREATE TABLE checkpoints (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    note TEXT NOT NULL
);
