-- The number of an item's last change: who has read up to a number reads on from there.
ALTER TABLE approval_items ADD COLUMN change BIGINT NOT NULL DEFAULT 0;
CREATE INDEX approval_items_change ON approval_items (change);
