"""Delivery's state beside its log: routes and acknowledgements, sends and attempts, failures. The only place with SQL."""
