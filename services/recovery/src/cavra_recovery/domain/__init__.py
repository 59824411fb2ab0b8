"""The rules of recovery: what a playbook says, how a recovery moves, what verifies it. No I/O, no clock, no ids made here."""
