"""Notices to holders, by mail and text message, through the outbox."""
