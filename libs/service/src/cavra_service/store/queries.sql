-- name: log_state
-- The log as it stands.
SELECT size, frontier, last_created_at FROM log_state WHERE only_row = 1;

-- name: set_log_state
-- Move the log's head.
UPDATE log_state SET size = :size, frontier = :frontier, last_created_at = :last_created_at WHERE only_row = 1;

-- name: insert_record
-- Append one record.
INSERT INTO records (idx, id, kind, created_at, canonical, record_hash, signature, key_id)
VALUES (:idx, :id, :kind, :created_at, :canonical, :record_hash, :signature, :key_id);

-- name: insert_term
-- Make a record findable.
INSERT INTO terms (name, value, idx) VALUES (:name, :value, :idx);

-- name: insert_node
-- Keep a complete subtree.
INSERT INTO nodes (level, idx, hash) VALUES (:level, :idx, :hash);

-- name: move_counter
-- Count.
INSERT INTO counters (name, value) VALUES (:name, :delta)
ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value;

-- name: chain_head
-- Where a trace's chain ends.
SELECT seq, record_hash FROM chain_heads WHERE trace_id = :trace_id;

-- name: set_chain_head
-- Move a chain's head.
INSERT INTO chain_heads (trace_id, seq, record_hash) VALUES (:trace_id, :seq, :record_hash)
ON CONFLICT (trace_id) DO UPDATE SET seq = excluded.seq, record_hash = excluded.record_hash;

-- name: record_hash
-- The hash of a record that is named as a cause.
SELECT record_hash FROM records WHERE id = :id;

-- name: record
-- One record by id.
SELECT idx, id, kind, created_at, canonical, record_hash, signature, key_id FROM records WHERE id = :id;

-- name: records_page
-- Records in log order from an index on: for readers who follow the log.
SELECT idx, id, kind, created_at, canonical, record_hash, signature, key_id FROM records
WHERE idx >= :from_index ORDER BY idx LIMIT :limit;

-- name: leaf_hashes
-- Hashes of a run of leaves.
SELECT idx, record_hash FROM records WHERE idx >= :first AND idx < :last ORDER BY idx;

-- name: leaf_hash
-- Hash of one leaf.
SELECT record_hash FROM records WHERE idx = :idx;

-- name: node
-- One complete subtree.
SELECT hash FROM nodes WHERE level = :level AND idx = :idx;

-- name: first_index_since
-- Log indexes grow with time, so a moment is an index.
SELECT idx FROM records WHERE created_at >= :moment ORDER BY created_at, idx LIMIT 1;

-- name: counter
-- One counter.
SELECT value FROM counters WHERE name = :name;

-- name: counters
-- The log's size and, of the same moment, all counters whose name starts with a prefix (one row without a name if there are none).
-- `after` is the prefix and the last code point.
SELECT s.size, c.name, c.value FROM log_state s LEFT JOIN counters c ON c.name >= :prefix AND c.name < :after ORDER BY c.name;
