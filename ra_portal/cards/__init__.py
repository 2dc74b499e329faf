"""Cards from the request to their end: making, moves, loss, renewal, recovery."""
