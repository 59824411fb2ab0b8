-- One row for each provider of each playbook: where its recovery stands.
CREATE TABLE recoveries (
    playbook_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    state TEXT NOT NULL,
    version BIGINT NOT NULL,
    superseded BIGINT NOT NULL,
    last_failure_at TEXT NOT NULL,
    last_failure_index BIGINT NOT NULL,
    trace_ids TEXT NOT NULL,
    closure_id TEXT NOT NULL,
    PRIMARY KEY (playbook_id, provider)
) /*without rowid*/;

-- Which recoveries of a provider a newer playbook supersedes.
CREATE INDEX recoveries_of_provider ON recoveries (provider, superseded, state);
