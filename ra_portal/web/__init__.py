"""The registration portal over HTTP: pages and JSON interface."""
