"""Serial numbers are positive, at most 20 octets, and cannot be guessed."""

from collections.abc import Iterator

from policies.lints.framework import Candidate, Lint

_SHORTEST_BITS = 128  # ours are drawn with 158; BR 7.1 asks for 64 from a CSPRNG


def check(candidate: Candidate) -> Iterator[str]:
    serial = candidate.certificate.serial
    if serial <= 0:
        yield "the serial number is not positive"
    elif serial.bit_length() > 159:
        yield "the serial number is longer than 20 octets"
    elif serial.bit_length() < _SHORTEST_BITS:
        yield f"the serial number has fewer than {_SHORTEST_BITS} bits"


LINT = Lint("serial-number", "7.1.1", "RFC 5280, 4.1.2.2; CA/B Baseline Requirements, 7.1", check)
