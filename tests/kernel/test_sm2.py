"""SM2 keys and signature values: what is accepted, and every near miss that is not."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel import libcrypto, sm2
from kernel.algorithms import ECDSA_P256_SHA256, SM2_SM3, KeyKind, PublicKey
from kernel.asn1 import der
from kernel.refusals import Malformed, Reason, Unprocessable
from tests import almost_right
from tests.sm2_keys import DEFAULT_USER, N, P, Sm2SoftwareKey, octets, spki_of, verifies
from tests.software_keys import SoftwareKey

KEY = Sm2SoftwareKey.generate()
OTHER = Sm2SoftwareKey.generate()
POINT = b"\x04" + octets(*KEY.point)
MESSAGE = "报关单 declaration".encode()
SIGNATURE = KEY.sign(MESSAGE)
R, S = decode_dss_signature(SIGNATURE)
EC_KEY, SM2_CURVE = der.oid("1.2.840.10045.2.1"), der.oid("1.2.156.10197.1.301")


@pytest.mark.parametrize(
    ("user", "message", "point", "r", "s"),
    [
        # GM/T 0003.5-2012, annex A.
        (b"1234567812345678", b"message digest",
         "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
         "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13",
         0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3,
         0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA),
    ],
)  # fmt: skip
def test_a_published_signature_verifies(
    user: bytes, message: bytes, point: str, r: int, s: int
) -> None:
    key = libcrypto.sm2_key(b"\x04" + bytes.fromhex(point))

    assert key.verify(encode_dss_signature(r, s), message, user)
    assert not key.verify(encode_dss_signature(r, s), message + b"!", user)
    assert not key.verify(encode_dss_signature(r, s), message, user + b"!")


def openssl_signs(tmp_path: Path, message: bytes, user: str = "1234567812345678") -> bytes:
    (tmp_path / "key.pem").write_bytes(KEY.pem())
    (tmp_path / "message").write_bytes(message)
    command = [
        "openssl", "pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-pkeyopt", f"distid:{user}",
        "-inkey", "key.pem", "-in", "message",
    ]  # fmt: skip
    return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).stdout


def test_what_openssl_signs_verifies_here_and_by_plain_arithmetic(tmp_path: Path) -> None:
    signature = openssl_signs(tmp_path, MESSAGE)

    assert KEY.public_key.verify(SM2_SM3, signature, MESSAGE)
    assert verifies(KEY.point, signature, MESSAGE)
    assert not KEY.public_key.verify(SM2_SM3, signature, MESSAGE[:-1])
    assert not OTHER.public_key.verify(SM2_SM3, signature, MESSAGE)


def test_a_signature_for_another_user_is_refused(tmp_path: Path) -> None:
    signature = openssl_signs(tmp_path, MESSAGE, "ALICE123@YAHOO.COM")

    assert verifies(KEY.point, signature, MESSAGE, b"ALICE123@YAHOO.COM")
    assert not KEY.public_key.verify(SM2_SM3, signature, MESSAGE)


def test_what_plain_arithmetic_signs_openssl_verifies(tmp_path: Path) -> None:
    (tmp_path / "key.der").write_bytes(KEY.spki)
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "signature").write_bytes(SIGNATURE)
    command = [
        "openssl", "pkeyutl", "-verify", "-rawin", "-digest", "sm3",
        "-pkeyopt", "distid:1234567812345678", "-pubin", "-keyform", "DER", "-inkey", "key.der",
        "-in", "message", "-sigfile", "signature",
    ]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


@settings(max_examples=25, deadline=None)
@given(message=st.binary(max_size=300), user=st.binary(min_size=1, max_size=40))
def test_libcrypto_and_plain_arithmetic_agree(message: bytes, user: bytes) -> None:
    key, signature = libcrypto.sm2_key(POINT), KEY.sign(message, user)

    assert key.verify(signature, message, user)
    assert key.verify(signature, message, DEFAULT_USER) == (user == DEFAULT_USER)
    assert not key.verify(signature, message + b"\0", user)


@pytest.mark.parametrize(
    "algorithm", [(EC_KEY, SM2_CURVE), (SM2_CURVE,), (SM2_CURVE, der.NULL)],
    ids=["id-ecPublicKey", "SM2", "SM2 with NULL"],
)  # fmt: skip
def test_a_key_is_read_under_each_of_its_identifiers(algorithm: tuple[bytes, ...]) -> None:
    key = PublicKey.from_spki(spki_of(POINT, algorithm))

    assert (key.kind, key.bits, key.curve) == (KeyKind.SM2, 256, "sm2p256v1")
    assert key.default_suite() is SM2_SM3
    assert key.verify(SM2_SM3, SIGNATURE, MESSAGE)


def _compressed(prefix: int) -> bytes:
    return bytes((prefix | POINT[-1] & 1,)) + POINT[1:33]


P256_POINT = SoftwareKey.generate(ECDSA_P256_SHA256).public_key.spki[-65:]
BAD_KEYS = {
    "compressed": spki_of(_compressed(2)),
    "hybrid": spki_of(bytes((6 | POINT[-1] & 1,)) + POINT[1:]),
    "infinity": spki_of(b"\0"),
    "zeros": spki_of(b"\x04" + bytes(64)),
    "off the curve": spki_of(POINT[:-1] + bytes((POINT[-1] ^ 1,))),
    "x beyond the field": spki_of(b"\x04" + octets(P, KEY.point[1])),
    "an octet short": spki_of(POINT[:-1]),
    "an octet long": spki_of(POINT + b"\0"),
    "data after the key": spki_of(POINT) + b"\0",
    "unused bits": der.sequence(
        der.sequence(EC_KEY, SM2_CURVE), der.tlv(0x03, b"\x01" + POINT[:-1] + b"\0")
    ),
    "an OCTET STRING": der.sequence(der.sequence(EC_KEY, SM2_CURVE), der.tlv(0x04, b"\0" + POINT)),
    "a third element": der.sequence(
        der.sequence(EC_KEY, SM2_CURVE), der.bit_string(POINT), der.NULL
    ),
    "a point of P-256": spki_of(P256_POINT),
    "a point of SM2 as one of P-256": spki_of(POINT, (EC_KEY, der.oid("1.2.840.10045.3.1.7"))),
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_a_key_of_another_shape_or_off_the_curve_is_refused(name: str) -> None:
    with pytest.raises(Malformed, match=r"public-key\.malformed"):
        PublicKey.from_spki(BAD_KEYS[name])


def test_other_parameters_beside_the_curve_are_another_kind_of_key() -> None:
    with pytest.raises((Malformed, Unprocessable), match=r"public-key\."):
        PublicKey.from_spki(spki_of(POINT, (EC_KEY, SM2_CURVE, der.NULL)))
    with pytest.raises((Malformed, Unprocessable), match=r"public-key\."):
        PublicKey.from_spki(spki_of(POINT, (EC_KEY, der.sequence(SM2_CURVE))))


VALUES: dict[str, almost_right.Change] = {
    **almost_right.values(N, P),
    "r and s add up to n": lambda r, s: der.sequence(der.integer(r), der.integer(N - r)),
    "nothing": lambda r, s: b"",
    "a mebibyte": lambda r, s: der.sequence(der.integer(r), der.tlv(0x02, b"\x01" * 2**20)),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_of_another_shape_or_range_is_refused(name: str) -> None:
    value = VALUES[name](R, S)

    assert not sm2.is_strict(value) or name in ("swapped", "both one", "r and s add up to n")
    assert not KEY.public_key.verify(SM2_SM3, value, MESSAGE)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(SIGNATURE) - 1), st.integers(1, 255))
def test_any_flipped_octet_of_the_value_is_refused(place: int, change: int) -> None:
    value = bytearray(SIGNATURE)
    value[place] ^= change
    assert not KEY.public_key.verify(SM2_SM3, bytes(value), MESSAGE)


def test_the_raw_shape_and_back() -> None:
    raw = SM2_SM3.to_raw(SIGNATURE)

    assert raw == octets(R, S)
    assert SM2_SM3.from_raw(raw) == SIGNATURE
    with pytest.raises(Malformed, match=r"signature\.malformed"):
        SM2_SM3.from_raw(raw + b"\0")


def test_keys_and_algorithms_are_not_confused() -> None:
    """SM2 curve points would do for ECDSA, and P-256's for SM2; neither suite takes them."""
    p256 = SoftwareKey.generate(ECDSA_P256_SHA256)

    assert not p256.public_key.verify(SM2_SM3, p256.sign(MESSAGE), MESSAGE)
    assert not KEY.public_key.verify(ECDSA_P256_SHA256, SIGNATURE, MESSAGE)
    assert not KEY.public_key.fits(ECDSA_P256_SHA256)


def test_a_digest_alone_is_never_verified() -> None:
    assert not KEY.public_key.verify_digest(SM2_SM3, SIGNATURE, SM2_SM3.hash(MESSAGE))


def test_pyca_is_not_asked_for_such_a_key() -> None:
    with pytest.raises(Unprocessable, match=r"public-key\.unsupported"):
        _ = KEY.public_key.pyca
    assert isinstance(SoftwareKey.generate().public_key.pyca, ec.EllipticCurvePublicKey)


def test_the_table_names_no_jose_algorithm_and_makes_no_keys() -> None:
    assert SM2_SM3.jose is None
    assert not SM2_SM3.is_for_new_keys


def test_no_certificate_is_issued_for_an_sm2_key() -> None:
    """Whoever reads the request: pyca does not today, and may one day."""
    assert KEY.public_key.weakness() == Reason("SM2 keys are not certified here")
