"""The HTTP gateway: HTTP in, gRPC out; history and dashboard. It owns no state."""
