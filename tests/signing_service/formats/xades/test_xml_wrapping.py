"""The eight published permutations of XML signature wrapping (XSW1 to XSW8), by their numbers.

Somorovsky, Mayer, Schwenk, Kampmann and Jensen, "On Breaking SAML: Be Whoever You Want to Be"
(USENIX Security 2012). A message holds a statement; what the forger says is `mallory`. In XSW1 and
XSW2 the whole message is signed, in the others the statement, each by its identifier.
"""

from base64 import b64encode

import pytest

from kernel.refusals import Refusal
from signing_service.formats import xml_security
from signing_service.formats.xades import whole as xades
from signing_service.formats.xml_names import DS
from signing_service.verification import Verification
from tests.signing_service.validation.scenery import START, World

WORLD = World()
SIGNER = WORLD.card
STATEMENT = b'<statement Id="s">alice</statement>'


def signed_by_id(document: bytes, identifier: bytes) -> bytes:
    """The document with an enveloped signature that refers to its root by the identifier."""
    made = xades.sign(document, SIGNER.key, SIGNER.certificate, START)
    changed = made.replace(b' URI=""', b' URI="#' + identifier + b'"')
    root = xml_security.parse(changed)
    (info,) = root.iter(f"{{{DS}}}SignedInfo")
    value = SIGNER.key.suite.to_raw(SIGNER.key.sign(xml_security.canonicalise(info)))
    old = made.split(b"</ds:SignatureValue>")[0].rpartition(b">")[2]
    return changed.replace(old, b64encode(value))


def taken_apart(signed: bytes, end_tag: bytes) -> tuple[bytes, bytes]:
    """(Without its signature, the signature)."""
    start = signed.index(b"<ds:Signature ")
    end = signed.rindex(end_tag)
    return signed[:start] + signed[end:], signed[start:end]


SIGNED_MESSAGE = signed_by_id(b'<message Id="m">' + STATEMENT + b"</message>", b"m")
MESSAGE, MESSAGE_SIGNATURE = taken_apart(SIGNED_MESSAGE, b"</message>")
SIGNED_STATEMENT = signed_by_id(STATEMENT, b"s")
ORIGINAL, SIGNATURE = taken_apart(SIGNED_STATEMENT, b"</statement>")


def with_object(signature: bytes, content: bytes) -> bytes:
    return signature.replace(
        b"</ds:Signature>", b"<ds:Object>" + content + b"</ds:Object></ds:Signature>"
    )


def evil(inside: bytes = b"", identifier: bytes = b"evil") -> bytes:
    return b'<statement Id="' + identifier + b'">mallory' + inside + b"</statement>"


def evil_message(inside: bytes) -> bytes:
    return b'<message Id="evil">' + evil(identifier=b"e2") + inside + b"</message>"


def message(inside: bytes) -> bytes:
    return b"<message>" + inside + b"</message>"


WRAPPED = {
    # The signed message inside the forged one's signature.
    "XSW1": evil_message(with_object(MESSAGE_SIGNATURE, MESSAGE)),
    # The signed message beside the signature.
    "XSW2": evil_message(MESSAGE + MESSAGE_SIGNATURE),
    # The forged statement before the signed one.
    "XSW3": message(evil() + SIGNED_STATEMENT),
    # The signed statement inside the forged one.
    "XSW4": message(evil(SIGNED_STATEMENT)),
    # The signature in the forged statement, the signed one after it.
    "XSW5": message(evil(SIGNATURE) + ORIGINAL),
    # The signature in the forged statement, the signed one inside the signature.
    "XSW6": message(evil(with_object(SIGNATURE, ORIGINAL))),
    # The forged statement where a schema lets anything in, before the signed one.
    "XSW7": message(b"<extensions>" + evil() + b"</extensions>" + SIGNED_STATEMENT),
    # The forged statement inside the signature's object; the signed one keeps the signature.
    "XSW8": message(SIGNED_STATEMENT.replace(SIGNATURE, with_object(SIGNATURE, evil()))),
}


@pytest.fixture(scope="module")
def verification() -> Verification:
    return WORLD.verification()


@pytest.mark.parametrize("signed", [SIGNED_MESSAGE, SIGNED_STATEMENT])
def test_what_is_wrapped_is_sound_by_itself(signed: bytes, verification: Verification) -> None:
    assert verification.verify(signed).passed


@pytest.mark.parametrize("number", WRAPPED)
def test_no_permutation_passes(number: str, verification: Verification) -> None:
    wrapped = WRAPPED[number]
    assert b"mallory" in wrapped
    report = verification.verify(wrapped)
    assert not report.passed
    try:
        (evidence,) = xades.read(wrapped)
    except Refusal:
        return  # its structure is refused
    intact = all(each.intact for each in evidence.references)
    assert not (intact and evidence.covers_document), "the forged statement would be believed"


def test_the_same_identifier_twice_is_refused(verification: Verification) -> None:
    """Every permutation again, with the forged element under the signed one's identifier."""
    for number, wrapped in WRAPPED.items():
        doubled = wrapped.replace(
            b'Id="evil"', b'Id="m"' if number in {"XSW1", "XSW2"} else b'Id="s"'
        )
        assert not verification.verify(doubled).passed, number
