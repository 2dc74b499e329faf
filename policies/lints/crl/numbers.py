"""A number of at most 20 octets, the issuer's key identifier; a delta list's base is not later."""

from collections.abc import Iterator

from kernel.asn1 import der
from policies import oids
from policies.lints.crl.framework import ListLint, RevocationList


def check(candidate: RevocationList) -> Iterator[str]:
    if candidate.repeated:
        yield "an extension stands twice"
    authority = candidate.extensions.get(oids.AUTHORITY_KEY_IDENTIFIER)
    wanted = candidate.issuer.subject_key_identifier or b""
    if authority is None or authority.value != der.sequence(der.implicit(0, wanted)):
        yield "the authority key identifier is not the issuer's"
    extension = candidate.extensions.get(oids.CRL_NUMBER)
    number = None if extension is None else _number(extension.value)
    if extension is None or extension.critical or number is None:
        yield "no CRL number of 1 to 20 octets, or it is critical"
    delta = candidate.extensions.get(oids.DELTA_CRL_INDICATOR)
    if delta is not None:
        base = _number(delta.value)
        if not delta.critical or base is None or number is None or base > number:
            yield "the delta list indicator is not critical, or its base is later than the list"


def _number(value: bytes) -> int | None:
    if not 3 <= len(value) <= 22 or value[0] != 0x02 or value[1] != len(value) - 2:
        return None
    number = int.from_bytes(value[2:], "big", signed=True)
    return number if number > 0 and der.integer(number) == value else None


LINT = ListLint("crl-numbers", "7.2.2", "RFC 5280, 5.2.1, 5.2.3 and 5.2.4", check)
