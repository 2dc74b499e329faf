"""Whether a counter-signature is upon one signature's value, and upon nothing else."""

import hmac

from signing_service.formats import xml_security
from signing_service.formats.asic.container import Container
from signing_service.formats.asic.reading import signatures_in
from signing_service.formats.cms.signed_data import read as read_cms
from signing_service.formats.coverage_xml import Expected, signed_info_covers
from signing_service.formats.jades import jose_json as json
from signing_service.formats.jades.message import JwsMessage
from signing_service.formats.statement import Statement
from signing_service.formats.xades.levels import chosen
from signing_service.formats.xml_names import COUNTERSIGNED
from signing_service.formats.xml_security import C14N
from signing_service.validation.evidence import SignatureFormat

_CONTAINERS = frozenset({SignatureFormat.ASIC_S, SignatureFormat.ASIC_E})


def inside(format_: SignatureFormat, signed: bytes, index: int) -> tuple[SignatureFormat, bytes]:
    """The format of signature number `index` and the file that it stands in: inside a container,
    or the file itself. Raises as `signatures_in`."""
    if format_ not in _CONTAINERS:
        return format_, signed
    container = Container.read(signed)
    file = signatures_in(container)[index].file
    is_xades = file in container.xades
    return SignatureFormat.XADES if is_xades else SignatureFormat.CADES, container.files[file]


def is_upon(
    format_: SignatureFormat,
    signed: bytes,
    index: int,
    to_be_signed: bytes,
    by: Statement,
    context: bytes,
) -> bool:
    """Whether a value over `to_be_signed` makes a counter-signature upon the value of signature
    number `index` in `signed`. `context`: the canonical signed properties, of XAdES.

    Raises as the readers and `Statement`.
    """
    place = index
    if format_ in _CONTAINERS:
        place = signatures_in(Container.read(signed))[index].index
    format_, signed = inside(format_, signed, index)
    if format_ is SignatureFormat.CADES:
        digest = by.suite.hash(read_cms(signed).signers[place].signature)
        return by.is_in_attributes(to_be_signed, digest, is_counter=True)
    if format_ is SignatureFormat.JADES:
        value = JwsMessage.read(signed).signature(place).value.encode("ascii")
        protected, _, payload = to_be_signed.partition(b".")
        header = json.parse_object(json.decode(protected.decode("ascii")))
        return hmac.compare_digest(payload, value) and by.is_in_header(header, {})
    _, parts = chosen(signed, place)
    digest = by.suite.hash(xml_security.canonicalise(parts.value))
    upon = Expected(f"#{parts.value.get('Id')}", (C14N,), digest, COUNTERSIGNED)
    return signed_info_covers(to_be_signed, by, [upon], context)
