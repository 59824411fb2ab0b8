"""What every CAVRA service runs on: settings, store engine, gRPC server and client, identity, telemetry."""
