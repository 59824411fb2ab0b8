"""Canonical bytes, hashes, proofs and grammar of CAVRA evidence: what an auditor installs."""
