-- Fingerprint of the destination that said that it is gone for good; empty where none did.
ALTER TABLE circuits ADD COLUMN gone TEXT NOT NULL DEFAULT '';
