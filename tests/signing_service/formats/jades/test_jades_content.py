"""JAdES: documents that are named or lie beside, of any size."""

import base64
import io
import json

import pytest
from joserfc import jws

from kernel.refusals import Unprocessable
from signing_service.formats.document import StreamedDocument
from signing_service.formats.jades import whole as jades
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import (
    Packaging,
)
from tests.signing_service.formats.jades.signed import (
    DOCUMENT,
    header_of,
    holds,
    public_key,
    registry,
    sign,
    thumbprint,
    verifies,
)
from tests.software_keys import Identity, SoftwareAuthority


def test_a_detached_document_is_named_by_its_own_digest(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    signed = sign(signer, software_authority, packaging=Packaging.DETACHED)
    header = header_of(signed)
    assert header["crit"] == ["b64", "sigD"]
    jws.deserialize_compact(signed, public_key(signer), payload=b"", registry=registry("ES256"))
    (evidence,) = jades.read(signed, DOCUMENT)
    assert verifies(evidence)
    assert evidence.packaging is Packaging.DETACHED
    assert not holds(signed, document=DOCUMENT + b" ")
    (missing,) = jades.read(signed)
    assert not missing.covers_document
    assert missing.references[0].actual is None


def test_several_objects_are_signed_by_name(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    contents = {"a.xml": b"first", "https://example.invalid/b.pdf": b"second"}
    signed = sign(signer, software_authority, document=contents, packaging=Packaging.DETACHED)
    assert holds(signed, document=contents)
    assert not holds(signed, document=contents | {"a.xml": b"other"})
    assert not holds(signed, document={"a.xml": b"first"})
    assert not holds(signed, document=contents | {"c": b"smuggled"})
    assert not holds(signed, document=b"first")


@pytest.mark.parametrize("objects", [{}, {"": b"1"}, {"a\n": b"1"}])
def test_objects_have_names(
    signer: Identity, software_authority: SoftwareAuthority, objects: dict[str, bytes]
) -> None:
    with pytest.raises(Unprocessable, match=r"jades\.objects"):
        sign(signer, software_authority, document=objects, packaging=Packaging.DETACHED)


def test_large_documents_are_read_in_pieces(
    signer: Identity,
    software_authority: SoftwareAuthority,
    timestamper: LocalTimestamper,
) -> None:
    data = b"0123456789" * 300_000
    streamed = StreamedDocument(io.BytesIO(data))
    signed = sign(signer, software_authority, document=streamed, packaging=Packaging.DETACHED)
    signed = jades.add_archive_timestamp(signed, timestamper, document=streamed)
    assert holds(signed, document=StreamedDocument(io.BytesIO(data)))
    assert holds(signed, document=data)
    assert not holds(signed, document=StreamedDocument(io.BytesIO(data[:-1])))


@pytest.mark.parametrize("encoded", [True, False])
def test_strangers_detached_mechanisms_are_read(signer: Identity, encoded: bool) -> None:
    contents = {"a": b"one!", "b": "二".encode()}
    parts = [
        base64.urlsafe_b64encode(each).rstrip(b"=") if encoded else each
        for each in contents.values()
    ]
    sig_d = {"mId": "http://uri.etsi.org/19182/ObjectIdByURI", "pars": list(contents)}
    header = {
        "alg": "ES256",
        "x5t#S256": thumbprint(signer),
        "x5c": [base64.b64encode(signer.certificate.der).decode()],
        "sigT": "2026-11-21T02:03:04Z",
        "sigD": sig_d,
        "b64": encoded,
        "crit": ["sigD", "b64", "sigT"],
    }
    protected = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=")
    value = signer.key.suite.to_raw(signer.key.sign(protected + b"." + b"".join(parts)))
    signed = protected + b".." + base64.urlsafe_b64encode(value).rstrip(b"=")
    assert holds(signed, document=contents)
    assert not holds(signed, document=contents | {"b": b"2"})
    (evidence,) = jades.read(signed, document=contents)
    assert evidence.claimed_signing_time is not None
