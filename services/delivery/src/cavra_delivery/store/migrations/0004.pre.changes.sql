-- When each failure last changed, counted in the committing transaction: what a reader who has seen the rest still has to see.
ALTER TABLE failures ADD COLUMN change_number BIGINT NOT NULL DEFAULT 0;
UPDATE failures SET change_number = o.place FROM (
    SELECT delivery_id, audit_id, provider, row_number() OVER (ORDER BY first_failed_at, delivery_id, audit_id, provider) AS place
    FROM failures
) o
WHERE failures.delivery_id = o.delivery_id AND failures.audit_id = o.audit_id AND failures.provider = o.provider;
CREATE UNIQUE INDEX failures_changed ON failures (change_number);
CREATE INDEX failures_open_changed ON failures (change_number) WHERE state <> 'closed';
