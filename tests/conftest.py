"""Fixtures for every test. Servers are real, start once when first asked for, and end with us."""

import os

# The machines that run the tests, containers among them, may have a clock that no NTP keeps in the
# kernel's sight; the tests of the clock's health ask for it themselves.
os.environ.setdefault("PORTSEAL_TIMESTAMP__REQUIRE_SYNCHRONISED_CLOCK", "false")

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
