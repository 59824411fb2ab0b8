"""The retry service: plans, acknowledgements, approvals, worker, execution records."""
