"""The authority at the scale of millions, on PostgreSQL."""
