"""The delivery service: drills, acknowledgements, audit packages, connectors, deliveries."""
