"""Fixtures for every test. Servers are real, start once when first asked for, and end with us."""

pytest_plugins = [
    "tests.database",
    "tests.lock_order",
    "tests.servers.chromium",
    "tests.servers.postgresql",
    "tests.servers.slapd",
    "tests.servers.tpm",
    "tests.servers.token_makes",
    "tests.token",
    "tests.portseal.service",  # after the modules that it imports
]
