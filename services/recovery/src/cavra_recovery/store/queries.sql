-- name: recovery
-- Where the recovery of one provider of one playbook stands.
SELECT playbook_id, provider, state, version, superseded, last_failure_at, last_failure_index, trace_ids, closure_id
FROM recoveries WHERE playbook_id = :playbook_id AND provider = :provider;

-- name: count_recoveries
-- How many recoveries of a provider are in a state and not superseded.
SELECT count(*) AS n FROM recoveries WHERE provider = :provider AND superseded = 0 AND state = :state;

-- name: supersede_recoveries
-- Put a newer playbook in their place; who counted them expects as many.
UPDATE recoveries SET superseded = 1, version = version + 1
WHERE provider = :provider AND superseded = 0 AND state = :state;

-- name: open_recovery
-- Begin the recovery of one provider.
INSERT INTO recoveries
(playbook_id, provider, state, version, superseded, last_failure_at, last_failure_index, trace_ids, closure_id)
VALUES (:playbook_id, :provider, 'open', 1, 0, :last_failure_at, :last_failure_index, :trace_ids, '');

-- name: move_recovery
-- Move a recovery that nobody has moved since it was read.
UPDATE recoveries SET state = :state, closure_id = :closure_id, version = version + 1
WHERE playbook_id = :playbook_id AND provider = :provider AND version = :version;
