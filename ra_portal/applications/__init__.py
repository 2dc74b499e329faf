"""Applications: drafts, the queue, registration under four eyes, changes of data, the registry."""
