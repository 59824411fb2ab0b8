"""The routes of the HTTP contract, by the service that answers them."""
