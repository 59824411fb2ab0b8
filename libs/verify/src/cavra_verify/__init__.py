"""Canonical bytes, hashes, proofs and grammar of CAVRA evidence: standard library and cryptography only."""
