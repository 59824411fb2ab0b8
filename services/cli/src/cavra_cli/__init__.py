"""The cavra command: api, demo, serve, token, health."""
