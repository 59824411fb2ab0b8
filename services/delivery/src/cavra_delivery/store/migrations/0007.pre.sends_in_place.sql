-- What a send keeps is longer than an index's page takes in one piece, and was written to two pages each time it changed: its rows move to a
-- table that is found by its indexes.
DROP INDEX sends_begun;
ALTER TABLE sends RENAME TO sends_before;
CREATE TABLE sends (
    record_id TEXT PRIMARY KEY,
    own_id TEXT NOT NULL UNIQUE,
    frame TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('begun', 'settled'))
);
INSERT INTO sends (record_id, own_id, frame, state) SELECT record_id, own_id, frame, state FROM sends_before ORDER BY record_id;
DROP TABLE sends_before;
CREATE INDEX sends_begun ON sends (record_id) WHERE state = 'begun';
