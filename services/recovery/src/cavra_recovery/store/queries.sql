-- name: recovery
-- Where the recovery of one provider of one playbook stands, and the latest record of the kind (closures) about it.
SELECT v.playbook_id, v.provider, v.state, v.version, v.superseded, v.last_failure_at, v.last_failure_index, v.trace_ids, v.closure_id,
    r.id AS signed_id, r.canonical, r.signature
FROM recoveries v LEFT JOIN records r ON r.idx = (
    SELECT max(p.idx) FROM terms p
    JOIN terms k ON k.name = 'metadata_kind' AND k.value = :kind AND k.idx = p.idx
    JOIN terms o ON o.name = 'provider' AND o.value = :provider AND o.idx = p.idx
    WHERE p.name = 'playbook_id' AND p.value = :playbook_id
)
WHERE v.playbook_id = :playbook_id AND v.provider = :provider;

-- name: live_recoveries
-- Recoveries that are not over, oldest playbook first: ids are ordered by time.
SELECT playbook_id, provider, state, superseded, last_failure_at, closure_id FROM recoveries
WHERE superseded = 0 AND state IN ('open', 'deferred', 'escalated', 'reopened')
ORDER BY playbook_id, provider LIMIT :limit;

-- name: recoveries_of_playbook
-- All recoveries of one playbook.
SELECT playbook_id, provider, state, superseded, last_failure_at, closure_id FROM recoveries
WHERE playbook_id = :playbook_id ORDER BY provider LIMIT :limit;

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

-- name: open_items
-- What is open, and the log's size at that moment (one row without an item if nothing is): recoveries that are not over.
SELECT s.size, o.item FROM log_state s LEFT JOIN (
    SELECT 'recovery/' || playbook_id || '/' || provider AS item FROM recoveries
    WHERE superseded = 0 AND state IN ('open', 'deferred', 'escalated', 'reopened')
) o ON 1 = 1 WHERE s.only_row = 1;
