"""What the retry service keeps beside its log: plans, acknowledgements, approval items, executions, alerts."""
