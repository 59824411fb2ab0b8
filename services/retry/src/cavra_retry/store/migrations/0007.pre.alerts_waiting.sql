-- Whether what became of a plan's sends is still to be learned from delivery.
ALTER TABLE alert_plans ADD COLUMN waiting BIGINT NOT NULL DEFAULT 0;
CREATE INDEX alert_plans_waiting ON alert_plans (plan_id) WHERE waiting = 1;
