"""The recoveries of each playbook, beside the log that records them."""
