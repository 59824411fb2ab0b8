-- Who made each retry plan, and how many failures that it would retry it does not list.
CREATE TABLE retry_plans (
    retry_plan_id TEXT PRIMARY KEY,
    planner_iss TEXT NOT NULL,
    planner_sub TEXT NOT NULL,
    omitted_count BIGINT NOT NULL
);

-- What each retry plan lists, oldest failure first.
CREATE TABLE retry_plan_items (
    retry_plan_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    audit_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    attempt_number BIGINT NOT NULL,
    action TEXT NOT NULL,
    next_retry_at TEXT,
    PRIMARY KEY (retry_plan_id, provider, delivery_id, audit_id)
) /*without rowid*/;

-- The newest acknowledgement of each failure: the one that counts.
CREATE TABLE retry_acks (
    delivery_id TEXT NOT NULL,
    audit_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    acknowledgement_id TEXT NOT NULL,
    retry_plan_id TEXT NOT NULL,
    attempt_number BIGINT NOT NULL,
    state TEXT NOT NULL,
    iss TEXT NOT NULL,
    sub TEXT NOT NULL,
    PRIMARY KEY (delivery_id, audit_id, provider)
) /*without rowid*/;

-- Who made each approval plan.
CREATE TABLE approval_plans (
    approval_plan_id TEXT PRIMARY KEY,
    planner_iss TEXT NOT NULL,
    planner_sub TEXT NOT NULL
);

-- What each approval plan lists; an empty item_id waits for an acknowledgement.
CREATE TABLE approval_plan_items (
    approval_plan_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    audit_id TEXT NOT NULL,
    retry_plan_id TEXT NOT NULL,
    item_id TEXT NOT NULL,
    PRIMARY KEY (approval_plan_id, provider, delivery_id, audit_id)
) /*without rowid*/;

-- Approval items: consent to one attempt, with all that its digest covers.
CREATE TABLE approval_items (
    item_id TEXT PRIMARY KEY,
    delivery_id TEXT NOT NULL,
    audit_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    attempt_number BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    state TEXT NOT NULL,
    version BIGINT NOT NULL,
    retry_plan_id TEXT NOT NULL,
    plan_hash TEXT NOT NULL,
    plan_index BIGINT NOT NULL,
    planner_iss TEXT NOT NULL,
    planner_sub TEXT NOT NULL,
    acknowledgement_id TEXT NOT NULL,
    acknowledger_iss TEXT NOT NULL,
    acknowledger_sub TEXT NOT NULL,
    opened_plan_id TEXT NOT NULL,
    opener_iss TEXT NOT NULL,
    opener_sub TEXT NOT NULL,
    failed_id TEXT NOT NULL,
    failed_kind TEXT NOT NULL,
    failed_hash TEXT NOT NULL,
    audit_package_hash TEXT NOT NULL,
    payload_hash TEXT NOT NULL,
    destination_fingerprint TEXT NOT NULL,
    required_approvals BIGINT NOT NULL,
    separation_of_duties BIGINT NOT NULL,
    require_retry_ack BIGINT NOT NULL,
    expires_at TEXT NOT NULL,
    approval_plan_id TEXT NOT NULL,
    approval_decision_id TEXT NOT NULL,
    UNIQUE (delivery_id, audit_id, provider, attempt_number, generation)
);
CREATE INDEX approval_items_live ON approval_items (item_id) WHERE state IN ('open', 'approved', 'claimed');

-- Decisions on items, in the order they were recorded.
CREATE TABLE item_decisions (
    item_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    decision_id TEXT NOT NULL,
    state TEXT NOT NULL,
    iss TEXT NOT NULL,
    sub TEXT NOT NULL,
    name TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    PRIMARY KEY (item_id, position)
) /*without rowid*/;

-- Executions: each claims one item. State is claimed until the outcome is recorded.
CREATE TABLE executions (
    execution_id TEXT PRIMARY KEY,
    item_id TEXT NOT NULL UNIQUE,
    delivery_id TEXT NOT NULL,
    audit_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    attempt_number BIGINT NOT NULL,
    run_id TEXT NOT NULL,
    intent_id TEXT NOT NULL,
    executor_iss TEXT NOT NULL,
    executor_sub TEXT NOT NULL,
    executor_name TEXT NOT NULL,
    claimed_at TEXT NOT NULL,
    state TEXT NOT NULL
);
-- One attempt is executed once; a skipped execution sent nothing, so its attempt number is still free.
CREATE UNIQUE INDEX executions_attempt ON executions (delivery_id, audit_id, provider, attempt_number)
WHERE state <> 'skipped';
CREATE INDEX executions_run ON executions (run_id);
CREATE INDEX executions_claimed ON executions (execution_id) WHERE state = 'claimed';

-- Alert plans and their health reports.
CREATE TABLE alert_plans (
    plan_id TEXT PRIMARY KEY,
    health_id TEXT NOT NULL UNIQUE
);

-- Providers that were told of an alert, and whether somebody acknowledged it.
CREATE TABLE alert_routes (
    plan_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    health_id TEXT NOT NULL,
    acknowledged BIGINT NOT NULL,
    PRIMARY KEY (plan_id, provider)
) /*without rowid*/;
CREATE INDEX alert_routes_outstanding ON alert_routes (plan_id, provider) WHERE acknowledged = 0;

-- When each provider was last told of a cause: what suppression is judged on.
CREATE TABLE alert_sends (
    provider TEXT NOT NULL,
    cause TEXT NOT NULL,
    plan_id TEXT NOT NULL,
    sent_at TEXT NOT NULL,
    PRIMARY KEY (provider, cause)
) /*without rowid*/;
