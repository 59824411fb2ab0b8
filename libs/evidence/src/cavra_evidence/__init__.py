"""Record models and the Merkle log over a store: no gRPC, no database driver."""
