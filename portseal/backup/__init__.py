"""Backup and restore of database, token and archive as one consistent set (docs/running.md)."""
