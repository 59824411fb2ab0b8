"""What a bundle is held against: each claim one short function that yields what speaks against it, and nothing when it holds."""
