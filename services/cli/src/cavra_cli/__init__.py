"""The `cavra` command: run the services, make identities, walk the demo."""
