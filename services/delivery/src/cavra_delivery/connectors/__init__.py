"""Connectors: how an event becomes bytes at a provider. A vendor's connector fills in what `base` asks for."""
