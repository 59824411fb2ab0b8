"""The gateway's rules: merging logs, ordering causes, and reading figures from counters."""
