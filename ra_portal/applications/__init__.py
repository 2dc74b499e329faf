"""Applications: drafts, the queue, registration under four eyes, the registry."""
