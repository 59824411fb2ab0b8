"""The recovery service: playbooks, closures, recovery reporting."""
