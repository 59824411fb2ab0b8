-- What is open, for the log's heartbeat.
CREATE INDEX recoveries_live ON recoveries (state, playbook_id, provider) WHERE superseded = 0;
