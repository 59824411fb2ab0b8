-- Each failure in the newest retry plan that lists it.
CREATE TABLE planned (
    delivery_id TEXT NOT NULL,
    audit_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    retry_plan_id TEXT NOT NULL,
    attempt_number BIGINT NOT NULL,
    action TEXT NOT NULL,
    next_retry_at TEXT,
    PRIMARY KEY (delivery_id, audit_id, provider)
) /*without rowid*/;
INSERT INTO planned (delivery_id, audit_id, provider, retry_plan_id, attempt_number, action, next_retry_at)
SELECT delivery_id, audit_id, provider, retry_plan_id, attempt_number, action, next_retry_at FROM (
    SELECT i.*, row_number() OVER (PARTITION BY i.delivery_id, i.audit_id, i.provider ORDER BY r.idx DESC) AS place
    FROM retry_plan_items i JOIN records r ON r.id = i.retry_plan_id
) o WHERE o.place = 1;
ALTER TABLE retry_plans DROP COLUMN omitted_count;
