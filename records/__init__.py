"""What is remembered: the database, the unit of work, the journal, the outbox."""
