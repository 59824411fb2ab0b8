"""The rules of delivery: plain functions and frozen types, without I/O, clock, or ids made inside."""
