-- Notification plans, to tell an unknown schedule from an unknown route.
CREATE TABLE notification_plans (
    plan_id TEXT PRIMARY KEY,
    schedule_id TEXT NOT NULL
) /*without rowid*/;
CREATE INDEX notification_plans_schedule ON notification_plans (schedule_id, plan_id);

-- Every route decision of every notification plan. Route ids grow with time.
CREATE TABLE routes (
    route_id TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    plan_id TEXT NOT NULL,
    schedule_id TEXT NOT NULL,
    alert_level TEXT NOT NULL,
    provider TEXT NOT NULL,
    owner TEXT NOT NULL,
    escalation_owner TEXT NOT NULL,
    category TEXT NOT NULL,
    reason TEXT NOT NULL,
    acknowledgement_minutes BIGINT NOT NULL,
    breach_at TEXT NOT NULL,
    window_id TEXT NOT NULL,
    window_reason TEXT NOT NULL,
    owner_available BIGINT NOT NULL,
    owner_reason TEXT NOT NULL,
    next_due_at TEXT
) /*without rowid*/;
CREATE INDEX routes_of_plan ON routes (plan_id, provider, owner);

-- Under which combined filters a route is found: one range scan serves any combination, in both directions.
CREATE TABLE route_keys (
    key TEXT NOT NULL,
    route_id TEXT NOT NULL,
    PRIMARY KEY (key, route_id)
) /*without rowid*/;

-- How many routes there are of each make, by what became of their acknowledgement ('' waits or needs none).
CREATE TABLE route_counts (
    schedule_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    owner TEXT NOT NULL,
    category TEXT NOT NULL,
    acknowledgement_state TEXT NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (schedule_id, provider, owner, category, acknowledgement_state)
) /*without rowid*/;

-- What is acknowledged as one: a plan's delivered routes to one provider, with the newest acknowledgement.
CREATE TABLE notices (
    plan_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    schedule_id TEXT NOT NULL,
    acknowledgement_state TEXT NOT NULL,
    acknowledgement_id TEXT NOT NULL,
    acknowledged_by TEXT NOT NULL,
    acknowledged_at TEXT,
    external_ref TEXT NOT NULL,
    notes TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (plan_id, provider)
) /*without rowid*/;
CREATE INDEX notices_of_schedule ON notices (schedule_id, provider, plan_id);
CREATE INDEX notices_outstanding ON notices (plan_id, provider) WHERE acknowledgement_state = '';

-- One send: what becomes one connector-delivery record. Durable before any byte goes out.
CREATE TABLE sends (
    record_id TEXT PRIMARY KEY,
    own_id TEXT NOT NULL UNIQUE,
    frame TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('begun', 'settled'))
) /*without rowid*/;
CREATE INDEX sends_begun ON sends (record_id) WHERE state = 'begun';

-- One attempt at one provider. The original delivery's attempt is number 1; retries count on.
CREATE TABLE attempts (
    record_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    audit_id TEXT NOT NULL,
    attempt_number BIGINT NOT NULL,
    execution_id TEXT UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('begun', 'settled')),
    outcome TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    settled_at TEXT,
    PRIMARY KEY (record_id, provider),
    UNIQUE (delivery_id, audit_id, provider, attempt_number)
) /*without rowid*/;

-- Audit deliveries that a provider did not take, each with all its retries.
CREATE TABLE failures (
    delivery_id TEXT NOT NULL,
    audit_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'unknown', 'closed')),
    in_flight BIGINT NOT NULL,
    failure_count BIGINT NOT NULL,
    attempt_count BIGINT NOT NULL,
    status_codes TEXT NOT NULL,
    first_failed_at TEXT NOT NULL,
    latest_failed_at TEXT NOT NULL,
    latest_delivery_id TEXT NOT NULL,
    latest_record_id TEXT NOT NULL,
    original_record_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (delivery_id, audit_id, provider)
) /*without rowid*/;
CREATE INDEX failures_open ON failures (first_failed_at, delivery_id, provider) WHERE state <> 'closed';
CREATE INDEX failures_open_of_provider ON failures (provider, first_failed_at, delivery_id) WHERE state <> 'closed';

-- Failed connector deliveries of the audit and the health-alert source, whether delivered later or not.
CREATE TABLE failed_deliveries (
    provider TEXT NOT NULL,
    failed_at TEXT NOT NULL,
    record_id TEXT NOT NULL,
    status_code BIGINT NOT NULL,
    reason TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    PRIMARY KEY (provider, failed_at, record_id)
) /*without rowid*/;
