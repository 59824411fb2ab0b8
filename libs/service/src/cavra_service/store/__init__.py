"""The store: records, index, counters and state, committed together. Engines are adapters behind one protocol."""
