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

-- name: record_at
-- One record by its place.
SELECT idx, id, kind, created_at, canonical, record_hash, signature, key_id FROM records WHERE idx = :idx;

-- name: trace_leaves
-- Where the records of a trace stand, oldest first.
SELECT t.idx, r.record_hash AS hash FROM terms t JOIN records r ON r.idx = t.idx
WHERE t.name = 'trace' AND t.value = :trace_id ORDER BY t.idx LIMIT :limit;

-- name: records_page
-- Records in log order from an index on: for readers who follow the log.
SELECT idx, id, kind, created_at, canonical, record_hash, signature, key_id FROM records
WHERE idx >= :from_index ORDER BY idx LIMIT :limit;

-- name: leaf_hashes
-- Hashes of a run of leaves.
SELECT idx, record_hash AS hash FROM records WHERE idx >= :first AND idx < :last ORDER BY idx;

-- name: nodes
-- Complete subtrees beside each other.
SELECT idx, hash FROM nodes WHERE level = :level AND idx >= :first AND idx < :last ORDER BY idx;

-- name: entries
-- Canonical bytes of a run of records.
SELECT idx, canonical FROM records WHERE idx >= :first AND idx < :last ORDER BY idx;

-- name: checkpoint
-- The newest checkpoint that was signed.
SELECT size, root, note FROM checkpoints WHERE only_row = 1;

-- name: set_checkpoint
-- Keep a checkpoint, unless another process kept a later one.
INSERT INTO checkpoints (only_row, size, root, note) VALUES (1, :size, :root, :note)
ON CONFLICT (only_row) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note
WHERE checkpoints.size <= excluded.size;

-- name: newest_of_kind
-- Changes nothing, and one row as long as the newest record of a kind is the one at an index (-1: there is none).
UPDATE log_state SET size = size WHERE only_row = 1
AND COALESCE((SELECT max(idx) FROM terms WHERE name = 'metadata_kind' AND value = :kind), -1) = :idx;

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

-- name: idempotency_key
-- What is known of a key that has not expired: the request's hash, the run that holds it, ids of records it wrote, what its answer says
-- beside them, the answer.
SELECT request_hash, holder, written, said, response FROM idempotency_keys WHERE id = :id AND reserved_at > :expired;

-- name: forget_idempotency_keys
-- Remove a key if it has expired, and the oldest of the others that have, so many at most.
DELETE FROM idempotency_keys WHERE reserved_at <= :expired AND (id = :id OR id IN (
    SELECT k.id FROM idempotency_keys k WHERE k.reserved_at <= :expired ORDER BY k.reserved_at LIMIT :limit
));

-- name: reserve_idempotency_key
-- Take a key before the first effect.
INSERT INTO idempotency_keys (id, request_hash, holder, reserved_at, written)
VALUES (:id, :request_hash, :holder, :reserved_at, '');

-- name: take_over_idempotency_key
-- Take a key from a run that ended without an answer, unless it has written since it was looked at.
UPDATE idempotency_keys SET holder = :holder, written = '', said = NULL
WHERE id = :id AND holder = :from_holder AND written = :written AND response IS NULL;

-- name: note_idempotency_key
-- Stands in every commit of a run: what it writes and says beside it, if the key is still its own.
UPDATE idempotency_keys SET written = written || :written, said = :said WHERE id = :id AND holder = :holder;

-- name: answer_idempotency_key
-- Keep the first result.
UPDATE idempotency_keys SET response = :response WHERE id = :id AND holder = :holder AND response IS NULL;

-- name: free_idempotency_key
-- Give a key back after a run without a result: one that was refused, or that wrote nothing.
DELETE FROM idempotency_keys WHERE id = :id AND holder = :holder AND response IS NULL AND (written = '' OR :refused = 1);
