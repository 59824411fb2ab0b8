-- name: add_retry_plan
-- Keep who made a retry plan.
INSERT INTO retry_plans (retry_plan_id, planner_iss, planner_sub) VALUES (:retry_plan_id, :planner_iss, :planner_sub);

-- name: add_retry_plan_item
-- Keep one item that a retry plan lists.
INSERT INTO retry_plan_items (retry_plan_id, provider, delivery_id, audit_id, position, attempt_number, action, next_retry_at)
VALUES (:retry_plan_id, :provider, :delivery_id, :audit_id, :position, :attempt_number, :action, :next_retry_at);

-- name: set_planned
-- The newest plan that lists a failure takes the place of the one before.
INSERT INTO planned (delivery_id, audit_id, provider, retry_plan_id, attempt_number, action, next_retry_at)
VALUES (:delivery_id, :audit_id, :provider, :retry_plan_id, :attempt_number, :action, :next_retry_at)
ON CONFLICT (delivery_id, audit_id, provider) DO UPDATE SET
    retry_plan_id = excluded.retry_plan_id, attempt_number = excluded.attempt_number, action = excluded.action,
    next_retry_at = excluded.next_retry_at;

-- name: retry_plan
-- One retry plan.
SELECT retry_plan_id FROM retry_plans WHERE retry_plan_id = :retry_plan_id;

-- name: retry_plan_items
-- Items of a retry plan, narrowed by what is not empty, with the plan's place in the log.
SELECT i.retry_plan_id, i.provider, i.delivery_id, i.audit_id, i.attempt_number, i.action, i.next_retry_at,
    p.planner_iss, p.planner_sub, r.idx AS plan_index, r.record_hash AS plan_hash
FROM retry_plan_items i
JOIN retry_plans p ON p.retry_plan_id = i.retry_plan_id
JOIN records r ON r.id = i.retry_plan_id
WHERE i.retry_plan_id = :retry_plan_id
    AND (:provider = '' OR i.provider = :provider)
    AND (:delivery_id = '' OR i.delivery_id = :delivery_id)
    AND (:audit_id = '' OR i.audit_id = :audit_id)
ORDER BY i.position;

-- name: set_retry_ack
-- A later acknowledgement of a failure takes the place of an earlier one.
INSERT INTO retry_acks (delivery_id, audit_id, provider, acknowledgement_id, retry_plan_id, attempt_number, state, iss, sub)
VALUES (:delivery_id, :audit_id, :provider, :acknowledgement_id, :retry_plan_id, :attempt_number, :state, :iss, :sub)
ON CONFLICT (delivery_id, audit_id, provider) DO UPDATE SET
    acknowledgement_id = excluded.acknowledgement_id, retry_plan_id = excluded.retry_plan_id,
    attempt_number = excluded.attempt_number, state = excluded.state, iss = excluded.iss, sub = excluded.sub;

-- name: retry_ack
-- The newest acknowledgement of a failure, with its plan's place in the log.
SELECT a.acknowledgement_id, a.retry_plan_id, a.attempt_number, a.state, a.iss, a.sub,
    p.planner_iss, p.planner_sub, r.idx AS plan_index, r.record_hash AS plan_hash
FROM retry_acks a
JOIN retry_plans p ON p.retry_plan_id = a.retry_plan_id
JOIN records r ON r.id = a.retry_plan_id
WHERE a.delivery_id = :delivery_id AND a.audit_id = :audit_id AND a.provider = :provider;

-- name: view
-- What is known of one failure that a plan has listed: its newest plan, its newest acknowledgement, its newest item.
SELECT p.retry_plan_id, p.attempt_number, p.action, p.next_retry_at, w.planner_iss, w.planner_sub, r.idx AS plan_index,
    r.record_hash AS plan_hash, a.acknowledgement_id, a.retry_plan_id AS ack_plan_id, a.attempt_number AS ack_attempt_number,
    a.state AS ack_state, a.iss AS ack_iss, a.sub AS ack_sub, b.planner_iss AS ack_planner_iss, b.planner_sub AS ack_planner_sub,
    c.idx AS ack_plan_index, c.record_hash AS ack_plan_hash, i.item_id, i.attempt_number AS item_attempt_number, i.state AS item_state,
    i.version AS item_version, i.failed_hash AS item_failed_hash, i.plan_index AS item_plan_index, i.expires_at AS item_expires_at
FROM planned p
JOIN retry_plans w ON w.retry_plan_id = p.retry_plan_id
JOIN records r ON r.id = p.retry_plan_id
LEFT JOIN retry_acks a ON a.delivery_id = p.delivery_id AND a.audit_id = p.audit_id AND a.provider = p.provider
LEFT JOIN retry_plans b ON b.retry_plan_id = a.retry_plan_id
LEFT JOIN records c ON c.id = a.retry_plan_id
LEFT JOIN approval_items i ON i.item_id = (
    SELECT n.item_id FROM approval_items n
    WHERE n.delivery_id = p.delivery_id AND n.audit_id = p.audit_id AND n.provider = p.provider
    ORDER BY n.attempt_number DESC, n.generation DESC LIMIT 1
)
WHERE p.delivery_id = :delivery_id AND p.audit_id = :audit_id AND p.provider = :provider;

-- name: check_retry_ack
-- Conflict unless this acknowledgement still is the newest.
UPDATE retry_acks SET acknowledgement_id = acknowledgement_id
WHERE delivery_id = :delivery_id AND audit_id = :audit_id AND provider = :provider AND acknowledgement_id = :acknowledgement_id;

-- name: add_approval_plan
-- Keep who made an approval plan.
INSERT INTO approval_plans (approval_plan_id, planner_iss, planner_sub)
VALUES (:approval_plan_id, :planner_iss, :planner_sub);

-- name: approval_plan
-- One approval plan.
SELECT planner_iss, planner_sub FROM approval_plans WHERE approval_plan_id = :approval_plan_id;

-- name: add_approval_plan_item
-- Keep one item that an approval plan lists.
INSERT INTO approval_plan_items (approval_plan_id, provider, delivery_id, audit_id, retry_plan_id, item_id)
VALUES (:approval_plan_id, :provider, :delivery_id, :audit_id, :retry_plan_id, :item_id);

-- name: approval_plan_items
-- Items of an approval plan for one provider, narrowed by what is not empty.
SELECT item_id FROM approval_plan_items
WHERE approval_plan_id = :approval_plan_id AND provider = :provider
    AND (:retry_plan_id = '' OR retry_plan_id = :retry_plan_id)
    AND (:delivery_id = '' OR delivery_id = :delivery_id)
    AND (:audit_id = '' OR audit_id = :audit_id);

-- name: add_item
-- Open an approval item.
INSERT INTO approval_items (item_id, delivery_id, audit_id, provider, attempt_number, generation, state, version, retry_plan_id,
    plan_hash, plan_index, planner_iss, planner_sub, acknowledgement_id, acknowledger_iss, acknowledger_sub, opened_plan_id,
    opener_iss, opener_sub, failed_id, failed_kind, failed_hash, audit_package_hash, payload_hash, destination_fingerprint,
    required_approvals, separation_of_duties, require_retry_ack, expires_at, approval_plan_id, approval_decision_id, change)
VALUES (:item_id, :delivery_id, :audit_id, :provider, :attempt_number, :generation, :state, 0, :retry_plan_id,
    :plan_hash, :plan_index, :planner_iss, :planner_sub, :acknowledgement_id, :acknowledger_iss, :acknowledger_sub, :opened_plan_id,
    :opener_iss, :opener_sub, :failed_id, :failed_kind, :failed_hash, :audit_package_hash, :payload_hash, :destination_fingerprint,
    :required_approvals, :separation_of_duties, :require_retry_ack, :expires_at, '', '',
    (SELECT coalesce(max(c.change), 0) + 1 FROM approval_items c));

-- name: set_item_state
-- Move an item that is still what was decided on.
UPDATE approval_items SET state = :state, version = version + 1,
    change = (SELECT coalesce(max(c.change), 0) + 1 FROM approval_items c)
WHERE item_id = :item_id AND version = :version;

-- name: set_item_approved
-- Keep which decision completed the quorum, and in which plan it was made.
UPDATE approval_items SET approval_plan_id = :approval_plan_id, approval_decision_id = :approval_decision_id WHERE item_id = :item_id;

-- name: item
-- One item.
SELECT * FROM approval_items WHERE item_id = :item_id;

-- name: newest_item
-- The newest item of a failure.
SELECT * FROM approval_items WHERE delivery_id = :delivery_id AND audit_id = :audit_id AND provider = :provider
ORDER BY attempt_number DESC, generation DESC LIMIT 1;

-- name: last_item_change
-- The number of the last change of an item.
SELECT i.change FROM approval_items i WHERE i.change >= 0 ORDER BY i.change DESC LIMIT 1;

-- name: live_items
-- Items that may still be decided on, claimed or settled.
SELECT i.delivery_id, i.audit_id, i.provider, i.item_id, i.attempt_number, i.state, i.version, i.failed_hash, i.plan_index,
    i.expires_at, i.separation_of_duties, i.change
FROM approval_items i WHERE i.state IN ('open', 'approved', 'claimed');

-- name: changed_items
-- Items that have changed since a number, in the order in which they have.
SELECT i.delivery_id, i.audit_id, i.provider, i.item_id, i.attempt_number, i.state, i.version, i.failed_hash, i.plan_index,
    i.expires_at, i.separation_of_duties, i.change
FROM approval_items i WHERE i.change > :since ORDER BY i.change;

-- name: item_approvers
-- Who has approved an item.
SELECT iss, sub FROM item_decisions WHERE item_id = :item_id AND state = 'approved';

-- name: approved_item
-- Some item that may be claimed.
SELECT item_id FROM approval_items WHERE state = 'approved' AND expires_at > :now LIMIT 1;

-- name: add_item_decision
-- Keep a decision.
INSERT INTO item_decisions (item_id, position, decision_id, state, iss, sub, name, decided_at)
VALUES (:item_id, :position, :decision_id, :state, :iss, :sub, :name, :decided_at);

-- name: item_decisions
-- Decisions on one item, oldest first.
SELECT decision_id, state, iss, sub, name, decided_at FROM item_decisions WHERE item_id = :item_id ORDER BY position;

-- name: trace_records
-- The records of a trace that can be found, oldest first, and the number of the last one in its chain.
SELECT r.id, r.kind, h.seq AS head FROM chain_heads h
JOIN terms t ON t.name = 'trace' AND t.value = h.trace_id
JOIN records r ON r.idx = t.idx
WHERE h.trace_id = :trace_id ORDER BY t.idx;

-- name: add_refusal
-- Keep that a refusal is recorded; a second one of the same item, person and reason is none.
INSERT INTO refusals (item_id, iss, sub, reason) VALUES (:item_id, :iss, :sub, :reason);

-- name: refusal
-- That a refusal of this item, person and reason is recorded.
SELECT reason FROM refusals WHERE item_id = :item_id AND iss = :iss AND sub = :sub AND reason = :reason;

-- name: add_execution
-- Claim: unique for the item, and for the attempt unless an earlier execution of it sent nothing.
INSERT INTO executions (execution_id, item_id, delivery_id, audit_id, provider, attempt_number, run_id, intent_id,
    executor_iss, executor_sub, executor_name, claimed_at, state)
VALUES (:execution_id, :item_id, :delivery_id, :audit_id, :provider, :attempt_number, :run_id, :intent_id,
    :executor_iss, :executor_sub, :executor_name, :claimed_at, 'claimed');

-- name: settle_execution
-- Record the one outcome of an execution.
UPDATE executions SET state = :state WHERE execution_id = :execution_id AND state = 'claimed';

-- name: claimed_executions
-- Executions whose outcome is not recorded.
SELECT execution_id, item_id, run_id, intent_id, executor_iss, executor_sub, executor_name, claimed_at FROM executions
WHERE state = 'claimed' ORDER BY execution_id;

-- name: execution_of_item
-- The execution that claimed an item.
SELECT execution_id, executor_iss, executor_sub FROM executions WHERE item_id = :item_id;

-- name: executions_of_run
-- What a run claimed, in the order it was chosen.
SELECT execution_id, state FROM executions WHERE run_id = :run_id ORDER BY execution_id;

-- name: execution
-- One execution, and what resolved it.
SELECT e.delivery_id, e.audit_id, e.provider, e.attempt_number, e.executor_iss, e.executor_sub, e.state, r.resolution_id
FROM executions e LEFT JOIN resolutions r ON r.execution_id = e.execution_id WHERE e.execution_id = :execution_id;

-- name: add_resolution
-- Resolve an execution: once.
INSERT INTO resolutions (execution_id, resolution_id, told) VALUES (:execution_id, :resolution_id, 0);

-- name: untold_resolutions
-- Resolutions that delivery has not heard of, with their records.
SELECT r.* FROM resolutions o JOIN records r ON r.id = o.resolution_id WHERE o.told = 0 ORDER BY o.execution_id;

-- name: set_resolution_told
-- Delivery has heard of a resolution.
UPDATE resolutions SET told = 1 WHERE resolution_id = :resolution_id AND execution_id = :execution_id;

-- name: failed_executions
-- Retries of one run that failed or whose outcome is unknown.
SELECT delivery_id, audit_id, provider FROM executions WHERE run_id = :run_id AND state IN ('failed', 'unknown');

-- name: add_alert_plan
-- Keep an alert plan, which waits for its sends if it has any.
INSERT INTO alert_plans (plan_id, health_id, waiting) VALUES (:plan_id, :health_id, :waiting);

-- name: waiting_alert_plans
-- Alert plans of which it is not known what became of their sends, oldest first.
SELECT plan_id FROM alert_plans WHERE waiting = 1 ORDER BY plan_id;

-- name: end_alert_plan
-- What became of an alert plan's sends is known.
UPDATE alert_plans SET waiting = 0 WHERE plan_id = :plan_id;

-- name: alert_plan
-- The alert plan of a health report.
SELECT plan_id FROM alert_plans WHERE health_id = :health_id;

-- name: add_alert_route
-- A provider is told of an alert.
INSERT INTO alert_routes (plan_id, provider, health_id, acknowledged) VALUES (:plan_id, :provider, :health_id, 0);

-- name: alert_route
-- One provider that was told.
SELECT acknowledged FROM alert_routes WHERE plan_id = :plan_id AND provider = :provider;

-- name: acknowledge_alert_route
-- The first acknowledgement of an alert.
UPDATE alert_routes SET acknowledged = 1 WHERE plan_id = :plan_id AND provider = :provider AND acknowledged = 0;

-- name: outstanding_alert_routes
-- Alerts that wait for an acknowledgement, oldest first.
SELECT plan_id, provider, health_id FROM alert_routes WHERE acknowledged = 0 ORDER BY plan_id, provider LIMIT :limit;

-- name: alert_send
-- When a provider was last told of a cause.
SELECT sent_at FROM alert_sends WHERE provider = :provider AND cause = :cause;

-- name: set_alert_send
-- Reserve the telling, unless somebody else has since the moment that was judged by.
INSERT INTO alert_sends (provider, cause, plan_id, sent_at) VALUES (:provider, :cause, :plan_id, :sent_at)
ON CONFLICT (provider, cause) DO UPDATE SET plan_id = excluded.plan_id, sent_at = excluded.sent_at
WHERE alert_sends.sent_at <= :unless_after;

-- name: forget_alert_send
-- A telling that did not arrive suppresses nothing.
DELETE FROM alert_sends WHERE provider = :provider AND plan_id = :plan_id;

-- name: open_items
-- What is open, and the log's size at that moment (one row without an item if nothing is): items, and claims without an outcome.
SELECT s.size, o.item FROM log_state s LEFT JOIN (
    SELECT 'item/' || item_id AS item FROM approval_items WHERE state IN ('open', 'approved', 'claimed')
    UNION ALL SELECT 'execution/' || execution_id FROM executions WHERE state = 'claimed'
) o ON 1 = 1 WHERE s.only_row = 1;
