"""A node of its own that revokes and issues lists, again and again.

Arguments: database URL, token label, how often. Prints `serial number` for each turn: the
certificate that it revoked and the number of the list that it issued after that.
"""

import sys

from ca.inventory import RevocationReason
from hsm.pins import EnvironmentPin
from hsm.token import Token
from kernel.identifiers import serial_text
from records.database import Database
from tests.ca.crl.test_crl import crl_issuer, revocation
from tests.ca.world import new_clock, open_world
from tests.database import load_all_tables
from tests.token import TokenBench, softhsm_module


def main(url: str, label: str, count: str) -> None:
    load_all_tables()
    token = Token(softhsm_module(), label, EnvironmentPin(TokenBench.pin_variable(label)))
    world = open_world(token, Database(url), new_clock())
    for _ in range(int(count)):
        issued = world.issue()
        revocation(world).revoke(issued.serial, RevocationReason.SUPERSEDED, "node")
        crl = crl_issuer(world).issue()
        print(serial_text(issued.serial), crl.number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
