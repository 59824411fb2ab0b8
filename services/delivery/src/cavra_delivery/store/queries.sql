-- name: insert_notification_plan
-- Keep which schedule a plan is of.
INSERT INTO notification_plans (plan_id, schedule_id) VALUES (:plan_id, :schedule_id);

-- name: plan_schedule
-- The schedule of a plan.
SELECT schedule_id FROM notification_plans WHERE plan_id = :plan_id;

-- name: schedule_planned
-- Whether a schedule has ever been planned.
SELECT plan_id FROM notification_plans WHERE schedule_id = :schedule_id LIMIT 1;

-- name: insert_route
-- Keep one route decision.
INSERT INTO routes (route_id, created_at, plan_id, schedule_id, alert_level, provider, owner, escalation_owner, category, reason,
    acknowledgement_minutes, breach_at, window_id, window_reason, owner_available, owner_reason, next_due_at)
VALUES (:route_id, :created_at, :plan_id, :schedule_id, :alert_level, :provider, :owner, :escalation_owner, :category, :reason,
    :acknowledgement_minutes, :breach_at, :window_id, :window_reason, :owner_available, :owner_reason, :next_due_at);

-- name: insert_route_key
-- Make a route findable.
INSERT INTO route_keys (key, route_id) VALUES (:key, :route_id);

-- name: move_route_count
-- Count routes of one make.
INSERT INTO route_counts (schedule_id, provider, owner, category, acknowledgement_state, n)
VALUES (:schedule_id, :provider, :owner, :category, :acknowledgement_state, :delta)
ON CONFLICT (schedule_id, provider, owner, category, acknowledgement_state) DO UPDATE SET n = route_counts.n + excluded.n;

-- name: route_counts
-- All counts: one row for each make of route, however many routes there are.
SELECT schedule_id, provider, owner, category, acknowledgement_state, n FROM route_counts WHERE n > 0
ORDER BY schedule_id, provider, owner, category, acknowledgement_state;

-- name: routes_newest
-- Routes under a key, newest first.
SELECT r.* FROM route_keys k JOIN routes r ON r.route_id = k.route_id
WHERE k.key = :key ORDER BY k.route_id DESC LIMIT :limit OFFSET :offset;

-- name: delivered_oldest
-- Delivered routes under a key with what became of their acknowledgement, oldest first.
SELECT r.*, n.acknowledgement_state, n.acknowledgement_id, n.acknowledged_by, n.acknowledged_at, n.external_ref, n.notes
FROM route_keys k JOIN routes r ON r.route_id = k.route_id JOIN notices n ON n.plan_id = r.plan_id AND n.provider = r.provider
WHERE k.key = :key ORDER BY k.route_id LIMIT :limit;

-- name: delivered_newest
-- As delivered_oldest, newest first.
SELECT r.*, n.acknowledgement_state, n.acknowledgement_id, n.acknowledged_by, n.acknowledged_at, n.external_ref, n.notes
FROM route_keys k JOIN routes r ON r.route_id = k.route_id JOIN notices n ON n.plan_id = r.plan_id AND n.provider = r.provider
WHERE k.key = :key ORDER BY k.route_id DESC LIMIT :limit;

-- name: outstanding_routes
-- Delivered routes that wait for an acknowledgement, oldest first. Each notice has one at least, so the first notices hold the first routes.
SELECT r.*, '' AS acknowledgement_state, '' AS acknowledgement_id, '' AS acknowledged_by, NULL AS acknowledged_at, '' AS external_ref,
    '' AS notes
FROM (SELECT plan_id, provider FROM notices WHERE acknowledgement_state = '' ORDER BY plan_id, provider LIMIT :limit) n
JOIN routes r ON r.plan_id = n.plan_id AND r.provider = n.provider
WHERE r.category = 'deliver' ORDER BY n.plan_id, n.provider, r.owner LIMIT :limit;

-- name: count_breached
-- Outstanding routes whose own time for an acknowledgement is over. CROSS JOIN keeps the outstanding notices in front: a plan that begins
-- with the routes would pass over all that there ever were.
SELECT count(*) AS n FROM notices n CROSS JOIN routes r
WHERE n.acknowledgement_state = '' AND r.plan_id = n.plan_id AND r.provider = n.provider AND r.category = 'deliver'
    AND r.breach_at <= :now;

-- name: count_breached_since
-- Outstanding routes that were delivered no later than a moment. CROSS JOIN as above.
SELECT count(*) AS n FROM notices n CROSS JOIN routes r
WHERE n.acknowledgement_state = '' AND r.plan_id = n.plan_id AND r.provider = n.provider AND r.category = 'deliver'
    AND r.created_at <= :before;

-- name: insert_notice
-- A plan's delivered routes to one provider now wait for an acknowledgement.
INSERT INTO notices (plan_id, provider, schedule_id, acknowledgement_state, acknowledgement_id, acknowledged_by, acknowledged_at,
    external_ref, notes, version)
VALUES (:plan_id, :provider, :schedule_id, '', '', '', NULL, '', '', 0);

-- name: notice
-- What is acknowledged, by plan and provider.
SELECT plan_id, provider, schedule_id, acknowledgement_state, version FROM notices WHERE plan_id = :plan_id AND provider = :provider;

-- name: newest_notice
-- The newest plan of a schedule that has delivered routes to the provider.
SELECT plan_id, provider, schedule_id, acknowledgement_state, version FROM notices
WHERE schedule_id = :schedule_id AND provider = :provider ORDER BY plan_id DESC LIMIT 1;

-- name: owners_of_notice
-- How many delivered routes of each owner an acknowledgement covers.
SELECT owner, count(*) AS n FROM routes
WHERE plan_id = :plan_id AND provider = :provider AND category = 'deliver' GROUP BY owner ORDER BY owner;

-- name: acknowledge_notice
-- The newest acknowledgement counts.
UPDATE notices SET acknowledgement_state = :acknowledgement_state, acknowledgement_id = :acknowledgement_id,
    acknowledged_by = :acknowledged_by, acknowledged_at = :acknowledged_at, external_ref = :external_ref, notes = :notes,
    version = version + 1
WHERE plan_id = :plan_id AND provider = :provider AND version = :version;

-- name: outstanding_notices
-- What waits for an acknowledgement, oldest first.
SELECT schedule_id, provider, plan_id FROM notices WHERE acknowledgement_state = '' ORDER BY plan_id, provider LIMIT :limit;

-- name: insert_send
-- A send is about to begin.
INSERT INTO sends (record_id, own_id, frame, state) VALUES (:record_id, :own_id, :frame, 'begun');

-- name: insert_attempt
-- An attempt is about to begin; a second one of the same number, or under the same execution id, is refused.
INSERT INTO attempts (record_id, provider, delivery_id, audit_id, attempt_number, execution_id, state, outcome, begun_at, settled_at)
VALUES (:record_id, :provider, :delivery_id, :audit_id, :attempt_number, :execution_id, 'begun', '', :begun_at, NULL);

-- name: settle_send
-- A send has its record.
UPDATE sends SET state = 'settled' WHERE record_id = :record_id AND state = 'begun';

-- name: settle_attempt
-- An attempt has its outcome.
UPDATE attempts SET state = 'settled', outcome = :outcome, settled_at = :settled_at
WHERE record_id = :record_id AND provider = :provider AND state = 'begun';

-- name: sends_begun
-- Sends without an outcome: at start-up, what a crash left behind.
SELECT record_id, frame FROM sends WHERE state = 'begun' ORDER BY record_id;

-- name: send_by_own_id
-- The send of a plan.
SELECT record_id, state FROM sends WHERE own_id = :own_id;

-- name: attempts_of_send
-- All attempts of one send.
SELECT provider, delivery_id, audit_id, attempt_number, begun_at FROM attempts WHERE record_id = :record_id ORDER BY provider;

-- name: insert_execution
-- An execution begins, or is fenced for a reason so that it never will: whichever comes first.
INSERT INTO executions (execution_id, fenced_reason, served_at) VALUES (:execution_id, :fenced_reason, :served_at);

-- name: execution
-- What is known of an execution.
SELECT e.fenced_reason, a.record_id, a.outcome, s.own_id FROM executions e
LEFT JOIN attempts a ON a.execution_id = e.execution_id LEFT JOIN sends s ON s.record_id = a.record_id
WHERE e.execution_id = :execution_id;

-- name: insert_resolution
-- Keep what resolved an execution: one resolution, once.
INSERT INTO resolutions (execution_id, resolution_id, record_hash) VALUES (:execution_id, :resolution_id, :record_hash);

-- name: resolution
-- What resolved an execution.
SELECT resolution_id, record_hash FROM resolutions WHERE execution_id = :execution_id;

-- name: attempt
-- One attempt by its number.
SELECT state, outcome FROM attempts
WHERE delivery_id = :delivery_id AND audit_id = :audit_id AND provider = :provider AND attempt_number = :attempt_number;

-- name: insert_failure
-- Open a failure.
INSERT INTO failures (delivery_id, audit_id, provider, state, in_flight, failure_count, attempt_count, status_codes, first_failed_at,
    latest_failed_at, latest_delivery_id, latest_record_id, original_record_id, version, change_number)
VALUES (:delivery_id, :audit_id, :provider, :state, :in_flight, :failure_count, :attempt_count, :status_codes, :first_failed_at,
    :latest_failed_at, :latest_delivery_id, :latest_record_id, :original_record_id, :version,
    (SELECT coalesce(max(change_number), 0) + 1 FROM failures));

-- name: update_failure
-- Move a failure on, if it is still what was decided on.
UPDATE failures SET state = :state, in_flight = :in_flight, failure_count = :failure_count, attempt_count = :attempt_count,
    status_codes = :status_codes, latest_failed_at = :latest_failed_at, latest_delivery_id = :latest_delivery_id,
    latest_record_id = :latest_record_id, version = :version,
    change_number = (SELECT coalesce(max(change_number), 0) + 1 FROM failures)
WHERE delivery_id = :delivery_id AND audit_id = :audit_id AND provider = :provider AND version = :version - 1;

-- name: failure
-- One failure with the hashes of the records it names.
SELECT f.*, l.record_hash AS latest_record_hash, o.record_hash AS original_record_hash
FROM failures f JOIN records l ON l.id = f.latest_record_id JOIN records o ON o.id = f.original_record_id
WHERE f.delivery_id = :delivery_id AND f.audit_id = :audit_id AND f.provider = :provider;

-- name: open_failures
-- Open failures after a place in their order, oldest first.
SELECT f.*, l.record_hash AS latest_record_hash, o.record_hash AS original_record_hash
FROM failures f JOIN records l ON l.id = f.latest_record_id JOIN records o ON o.id = f.original_record_id
WHERE f.state <> 'closed' AND (f.first_failed_at, f.delivery_id, f.provider) > (:first_failed_at, :delivery_id, :provider)
ORDER BY f.first_failed_at, f.delivery_id, f.provider LIMIT :limit;

-- name: open_failures_of_provider
-- As open_failures, of one provider.
SELECT f.*, l.record_hash AS latest_record_hash, o.record_hash AS original_record_hash
FROM failures f JOIN records l ON l.id = f.latest_record_id JOIN records o ON o.id = f.original_record_id
WHERE f.state <> 'closed' AND f.provider = :provider AND (f.first_failed_at, f.delivery_id) > (:first_failed_at, :delivery_id)
ORDER BY f.first_failed_at, f.delivery_id LIMIT :limit;

-- name: changed_failures
-- Failures, open or not, that changed after a number, in the order of their changes.
SELECT f.*, l.record_hash AS latest_record_hash, o.record_hash AS original_record_hash
FROM failures f JOIN records l ON l.id = f.latest_record_id JOIN records o ON o.id = f.original_record_id
WHERE f.change_number > :since ORDER BY f.change_number LIMIT :limit;

-- name: open_failures_changed
-- Open failures that changed after one number and not after another, in the order of their changes.
SELECT f.*, l.record_hash AS latest_record_hash, o.record_hash AS original_record_hash
FROM failures f JOIN records l ON l.id = f.latest_record_id JOIN records o ON o.id = f.original_record_id
WHERE f.state <> 'closed' AND f.change_number > :since AND f.change_number <= :until ORDER BY f.change_number LIMIT :limit;

-- name: history
-- One row: the number of the newest change, the log's last record and its hash, and what hash the record of a given index has.
SELECT (SELECT coalesce(max(change_number), 0) FROM failures) AS newest, s.size - 1 AS idx, l.record_hash, k.record_hash AS known
FROM log_state s LEFT JOIN records l ON l.idx = s.size - 1 LEFT JOIN records k ON k.idx = :idx;

-- name: count_open_failures_of_provider
-- How many failures of one provider are open.
SELECT count(*) AS n FROM failures WHERE state <> 'closed' AND provider = :provider;

-- name: insert_failed_delivery
-- Count a failed connector delivery for playbooks.
INSERT INTO failed_deliveries (provider, failed_at, record_id, status_code, reason, delivery_id)
VALUES (:provider, :failed_at, :record_id, :status_code, :reason, :delivery_id);

-- name: failed_providers
-- Providers after a name that have ever failed: the next one, read name by name along the key.
SELECT min(provider) AS provider FROM failed_deliveries WHERE provider > :after;

-- name: failed_summary
-- Failed connector deliveries of one provider since a moment.
SELECT count(*) AS n, max(failed_at) AS latest FROM failed_deliveries WHERE provider = :provider AND failed_at >= :since;

-- name: failed_codes
-- Which status codes and reasons they had.
SELECT DISTINCT status_code, reason FROM failed_deliveries WHERE provider = :provider AND failed_at >= :since;

-- name: failed_delivery_ids
-- Which deliveries they were, oldest first.
SELECT delivery_id, min(failed_at) AS first FROM failed_deliveries WHERE provider = :provider AND failed_at >= :since
GROUP BY delivery_id ORDER BY first, delivery_id LIMIT :limit;

-- name: failed_records_oldest
-- Their records, oldest first.
SELECT r.id, r.kind, r.record_hash, r.idx FROM failed_deliveries d JOIN records r ON r.id = d.record_id
WHERE d.provider = :provider AND d.failed_at >= :since ORDER BY d.failed_at, d.record_id LIMIT :limit;

-- name: failed_record_latest
-- The record of the latest.
SELECT r.id, r.kind, r.record_hash, r.idx FROM failed_deliveries d JOIN records r ON r.id = d.record_id
WHERE d.provider = :provider AND d.failed_at >= :since ORDER BY d.failed_at DESC, d.record_id DESC LIMIT 1;

-- name: open_items
-- What is open, and the log's size at that moment (one row without an item if nothing is): failures, and sends without an outcome.
SELECT s.size, o.item FROM log_state s LEFT JOIN (
    SELECT 'failure/' || delivery_id || '/' || audit_id || '/' || provider AS item FROM failures WHERE state <> 'closed'
    UNION ALL SELECT 'send/' || record_id FROM sends WHERE state = 'begun'
) o ON 1 = 1 WHERE s.only_row = 1;

-- name: keep_circuit
-- Keep what a connector's last sends came to.
INSERT INTO circuits (provider, failures, opened_at, gone) VALUES (:provider, :failures, :opened_at, :gone)
ON CONFLICT (provider) DO UPDATE SET failures = excluded.failures, opened_at = excluded.opened_at, gone = excluded.gone;

-- name: circuits
-- What the last sends of all connectors came to: one row for each that has ever failed.
SELECT provider, failures, opened_at, gone FROM circuits;
