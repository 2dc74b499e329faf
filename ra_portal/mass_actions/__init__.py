"""One act on many cards: seen first, proposed by one, confirmed by another, done as a job."""
