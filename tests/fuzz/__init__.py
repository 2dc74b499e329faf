"""Coverage-guided fuzzing of everything that reads what strangers send (docs/fuzzing.md)."""
