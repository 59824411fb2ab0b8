-- What of the answer no record holds: a serialized response with those fields alone, written with the records.
ALTER TABLE idempotency_keys ADD COLUMN said BYTEA;
