"""A process of its own that issues from the shared token.

Arguments: database URL, token label, how many. Prints the serials, one per line.
"""

import sys

from hsm.pins import EnvironmentPin
from hsm.token import Token
from kernel.identifiers import serial_text
from records.database import Database
from tests.ca.world import new_clock, open_world, operator_request
from tests.database import load_all_tables
from tests.token import TokenBench, softhsm_module


def main(url: str, label: str, count: str) -> None:
    load_all_tables()
    token = Token(softhsm_module(), label, EnvironmentPin(TokenBench.pin_variable(label)))
    authority = open_world(token, Database(url), new_clock()).issuing
    for _ in range(int(count)):
        intent = authority.prepare("operator", operator_request())
        print(serial_text(intent.serial))
        authority.issue(intent)


if __name__ == "__main__":
    main(*sys.argv[1:])
