-- Approved items by when they end: what a worker on a timer looks at.
CREATE INDEX approval_items_approved ON approval_items (expires_at) WHERE state = 'approved';
