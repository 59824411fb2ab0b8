"""What every CAVRA service needs to run: settings, store engine, gRPC server and client, identity, telemetry."""
