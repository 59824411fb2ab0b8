-- name: insert_item
-- Add an item at the end.
INSERT INTO items (id, version, position) VALUES (:id, 0, (SELECT count(*) FROM items));

-- name: touch_item
-- Move an item on, unless it has moved since it was read.
UPDATE items SET version = version + 1 WHERE id = :id AND version = :version;

-- name: item
-- One item.
SELECT id, version, position FROM items WHERE id = :id;

-- name: items
-- All items in the order they were added.
SELECT id, version, position FROM items ORDER BY position;
