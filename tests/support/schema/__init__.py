"""State of a service that exists in tests alone: items with a version, kept beside a log."""
