"""Record models and the Merkle log of CAVRA evidence."""
