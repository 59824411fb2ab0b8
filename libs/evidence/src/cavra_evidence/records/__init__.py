"""The records: one frozen, closed model for each kind. A model's fields are the contract's, in the contract's order."""
