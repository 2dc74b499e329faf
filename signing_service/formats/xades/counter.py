"""XAdES counter-signatures: one signature upon another's value (EN 319 132-1, 5.2.7)."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from lxml import etree

from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.refusals import Conflict, Malformed, Unprocessable
from signing_service.formats import xml_security
from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.prepared import PreparedSignature, check_chain, choose_suite
from signing_service.formats.xades import text as xades_text
from signing_service.formats.xades.levels import chosen, container, is_archived, serialised
from signing_service.formats.xades.writing import encode_body
from signing_service.formats.xml_names import COUNTERSIGNED, XADES, xades
from signing_service.formats.xml_security import C14N
from signing_service.validation.evidence import Packaging, SignatureFormat


def prepare_counter_signature(
    signed: bytes,
    certificate: Certificate,
    signing_time: datetime,
    *,
    signer: int = 0,
    chain: Sequence[Certificate] = (),
    suite: AlgorithmSuite | None = None,
    claims: Claims = NO_CLAIMS,
) -> PreparedSignature:
    """First step of a signature upon the value of signature number `signer`; `assemble` is the
    last step, as for any other.

    Raises Malformed `xml.*`, `xades.*`; Conflict `xades.archived`, because what an archive
    timestamp stands for is finished; Unprocessable `algorithm.unfit`, `chain.too-long`,
    `xades.no-identifier` (the signature value bears none that could be referred to).
    """
    suite = choose_suite(certificate, suite)
    if suite.xml_signature is None:
        raise Unprocessable("algorithm.unfit", "no XML name", suite=suite.name)
    root, parts = chosen(signed, signer)
    if is_archived(parts):
        raise Conflict("xades.archived", "an archived signature is not signed upon any more")
    value_id = parts.value.get("Id")
    if not value_id:
        raise Unprocessable("xades.no-identifier", "the signature value bears no identifier")
    digest = suite.hash(xml_security.canonicalise(parts.value))
    name = _name(signed, digest, certificate, signing_time)
    reference = xades_text.reference(
        f"{name}-document",
        f"#{value_id}",
        f' Type="{COUNTERSIGNED}"',
        xades_text.transform(C14N),
        xades_text.digest(suite.digest, digest),
    )
    properties = xades_text.signed_properties(certificate, suite, signing_time, (), claims)
    holder = etree.SubElement(container(parts), xades("CounterSignature"), nsmap={"xades": XADES})
    scope = xades_text.Scope(
        {prefix or "": str(uri) for prefix, uri in holder.nsmap.items()},
        {
            f"xml:{etree.QName(key).localname}": value
            for key, value in xml_security.inherited_attributes(holder).items()
        },
    )
    properties_digest = suite.hash(scope.signed_properties(name, properties))
    signed_info = xades_text.signed_info(name, suite, reference, properties_digest)
    start, end = xades_text.around_value(
        name, signed_info, properties, certificate, check_chain(chain)
    )
    holder.text = name
    head, found, tail = serialised(root).partition(f">{name}<".encode())
    if not found:
        raise Malformed("xml.structure", "no place for a signature")
    return PreparedSignature(
        SignatureFormat.XADES,
        Packaging.DETACHED,
        suite,
        certificate,
        tuple(chain),
        scope.signed_info(signed_info),
        encode_body(head + b">", start, end, b"<" + tail),
    )


def _name(signed: bytes, digest: bytes, certificate: Certificate, signing_time: datetime) -> str:
    """A name that nothing in the document bears."""
    seed = digest + certificate.digest("sha256") + signing_time.isoformat().encode()
    while True:
        seed = hashlib.sha256(seed).digest()
        name = f"sig-{seed[:12].hex()}"
        if name.encode() not in signed:
            return name
