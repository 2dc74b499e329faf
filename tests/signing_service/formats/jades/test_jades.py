"""JAdES: strangers verify ours and ours reads theirs; what is signed cannot change unseen."""

import base64
import hashlib
import io
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from joserfc.registry import HeaderParameter

from kernel.refusals import Conflict, Malformed, Refusal, Unprocessable
from signing_service.formats.catalogue import levels_of
from signing_service.formats.claims import PROOF_OF_APPROVAL, Claims, PolicyReference
from signing_service.formats.document import StreamedDocument
from signing_service.formats.jades import whole as jades
from signing_service.formats.jades.whole import Serialisation
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    SignatureLevel,
    TimestampKind,
)
from tests.signing_service.formats.material import material_for
from tests.software_keys import SIGNING_SUITES, Identity, SoftwareAuthority

DOCUMENT = "报关单 declaration".encode()
SERIALISATIONS = tuple(Serialisation)
CLAIMS = Claims(
    commitment=PROOF_OF_APPROVAL,
    roles=("报关员", "declarant"),
    policy=PolicyReference("1.3.6.1.4.1.99999.7", "sha256", bytes(32)),
    mime_type="application/xml",
)
JADES_HEADERS = ("sigT", "iat", "x5t#o", "srCms", "srAts", "sigPId", "sigD", "adoTst")
Key = ECKey | RSAKey | OKPKey


def sign(signer: Identity, authority: SoftwareAuthority, **options: Any) -> bytes:
    document = options.pop("document", DOCUMENT)
    chain = signer.chain[:1]
    now = authority.now
    return jades.sign(document, signer.key, signer.certificate, now, chain=chain, **options)


def verifies(evidence: SignatureEvidence) -> bool:
    certificate, suite = evidence.signing_certificate, evidence.suite
    return (
        certificate is not None
        and suite is not None
        and evidence.covers_document
        and certificate.public_key.verify(suite, evidence.signature_value, evidence.signed_bytes)
        and all(reference.intact for reference in evidence.references)
    )


def holds(data: bytes, **options: Any) -> bool:
    try:
        found = jades.read(data, **options)
    except Refusal:
        return False
    return all(
        each.certificate_reference is not None
        and each.certificate_reference.matches
        and verifies(each)
        and all(stamp.imprint.intact for stamp in each.timestamps)
        for each in found
    )


def public_key(signer: Identity) -> Key:
    pem = signer.key.private_key.public_key()
    data = pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    kinds: dict[str, type[Any]] = {"EC": ECKey, "RSA": RSAKey, "Ed25519": OKPKey}
    key: Key = kinds[signer.certificate.public_key.kind].import_key(data)
    return key


def registry(algorithm: str) -> jws.JWSRegistry:
    """joserfc told of the parameters of TS 119 182-1, which are critical."""
    known = {name: HeaderParameter(name, lambda value: None) for name in JADES_HEADERS}
    made = jws.JWSRegistry(header_registry=known, algorithms=[algorithm], strict_check_header=False)
    made.max_header_length = 16_384  # the chain is in it
    return made


def header_of(data: bytes) -> dict[str, Any]:
    text = data.split(b".")[0]
    if data.startswith(b"{"):
        value = json.loads(data)
        text = (value.get("signatures") or [value])[0]["protected"].encode()
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4)))
    return header


def compact(signer: Identity, header: dict[str, Any], payload: bytes = DOCUMENT) -> bytes:
    """A JWS with any header, signed by the signer's key."""

    def encode(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    signed = encode(json.dumps(header).encode()) + b"." + encode(payload)
    value = signer.key.suite.to_raw(signer.key.sign(signed))
    return signed + b"." + encode(value)


@pytest.fixture(scope="module")
def material(software_authority: SoftwareAuthority, signer: Identity) -> ValidationMaterial:
    return material_for(software_authority, signer.certificate)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("suite", SIGNING_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("serialisation", SERIALISATIONS)
def test_joserfc_verifies_ours(
    suite: Any, serialisation: Serialisation, software_authority: SoftwareAuthority
) -> None:
    signer = software_authority.signer(suite=suite)
    signed = sign(signer, software_authority, serialisation=serialisation, claims=CLAIMS)
    key = public_key(signer)
    if serialisation is Serialisation.COMPACT:
        payload = jws.deserialize_compact(signed, key, registry=registry(suite.jose)).payload
    else:
        chosen = key if serialisation is Serialisation.FLATTENED else KeySet([key])
        value = json.loads(signed)
        payload = jws.deserialize_json(value, chosen, registry=registry(suite.jose)).payload
    assert payload == DOCUMENT
    (evidence,) = jades.read(signed)
    assert verifies(evidence)
    assert evidence.format is SignatureFormat.JADES
    assert evidence.level is SignatureLevel.B_B


def test_joserfc_refuses_a_changed_one(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    signed = sign(signer, software_authority)
    head, _, value = signed.split(b".")
    other = base64.urlsafe_b64encode(b"another").rstrip(b"=")
    with pytest.raises(Exception, match="signature"):
        jws.deserialize_compact(
            b".".join((head, other, value)), public_key(signer), registry=registry("ES256")
        )


@pytest.mark.parametrize("with_chain", [False, True])
def test_a_jws_of_joserfc_is_read_as_no_ades(signer: Identity, with_chain: bool) -> None:
    pem = signer.key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    header: dict[str, Any] = {"alg": "ES256"}
    if with_chain:
        x5c = base64.b64encode(signer.certificate.der).decode()
        header["x5c"] = [x5c]
    signed = jws.serialize_compact(header, DOCUMENT, ECKey.import_key(pem)).encode()
    (evidence,) = jades.read(signed)
    assert evidence.format is SignatureFormat.JWS
    assert evidence.level is SignatureLevel.BASIC
    assert verifies(evidence) is with_chain


def test_claims_come_back(signer: Identity, software_authority: SoftwareAuthority) -> None:
    (evidence,) = jades.read(sign(signer, software_authority, claims=CLAIMS))
    assert evidence.commitment == PROOF_OF_APPROVAL
    assert evidence.roles == CLAIMS.roles
    assert evidence.policy == "1.3.6.1.4.1.99999.7"
    assert evidence.policy_digest == ("sha256", bytes(32))
    assert evidence.content_type == "application/xml"
    assert evidence.claimed_signing_time == software_authority.now
    assert evidence.embedded_certificates == (signer.certificate, signer.chain[0])


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
        "x5t#S256": _thumbprint(signer),
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


def test_prepared_signatures_survive_as_bytes(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    for packaging in (Packaging.ENVELOPING, Packaging.DETACHED):
        prepared = jades.prepare(
            DOCUMENT, signer.certificate, software_authority.now, packaging=packaging
        )
        again = PreparedSignature.from_bytes(prepared.to_bytes())
        signed = jades.assemble(again, signer.key.sign(again.to_be_signed))
        assert holds(signed, document=DOCUMENT)
        with pytest.raises(Unprocessable, match=r"signature\.mismatch"):
            jades.assemble(again, signer.key.sign(b"something else"))


@pytest.mark.parametrize("packaging", [Packaging.ENVELOPING, Packaging.DETACHED])
def test_levels_rise_to_archive_and_renewal(
    packaging: Packaging,
    signer: Identity,
    software_authority: SoftwareAuthority,
    material: ValidationMaterial,
    timestamper: LocalTimestamper,
) -> None:
    levels = levels_of(SignatureFormat.JADES)
    signed = sign(signer, software_authority, packaging=packaging)
    reached = []
    signed = levels.add_signature_timestamp(signed, timestamper)
    reached.append(_level(signed))
    signed = levels.add_validation_material(signed, material)
    reached.append(_level(signed))
    signed = levels.add_archive_timestamp(signed, timestamper, document=DOCUMENT)
    reached.append(_level(signed))
    signed = levels.add_archive_timestamp(signed, timestamper, document=DOCUMENT, digest="sha512")
    assert reached == [SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA]
    assert holds(signed, document=DOCUMENT)
    (evidence,) = jades.read(signed, DOCUMENT)
    kinds = [stamp.kind for stamp in evidence.timestamps]
    assert kinds == [TimestampKind.SIGNATURE, TimestampKind.ARCHIVE, TimestampKind.ARCHIVE]
    covered = _covered(evidence)
    assert covered >= {signer.certificate.der, *material.certificates, *material.crls}
    assert evidence.timestamps[0].token in covered
    assert evidence.timestamps[1].token in covered
    assert evidence.signature_value in covered


def test_material_is_added_once(
    signer: Identity, software_authority: SoftwareAuthority, material: ValidationMaterial
) -> None:
    signed = sign(signer, software_authority, serialisation=Serialisation.FLATTENED)
    once = jades.add_validation_material(signed, material)
    assert jades.add_validation_material(once, material) == once


def test_the_content_is_stamped_before_it_is_signed(
    signer: Identity, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    for packaging in (Packaging.ENVELOPING, Packaging.DETACHED):
        prepared = jades.prepare(
            DOCUMENT,
            signer.certificate,
            software_authority.now,
            packaging=packaging,
            content_timestamper=timestamper,
        )
        signed = jades.assemble(prepared, signer.key.sign(prepared.to_be_signed))
        (evidence,) = jades.read(signed, DOCUMENT)
        assert [stamp.kind for stamp in evidence.timestamps] == [TimestampKind.CONTENT]
        assert holds(signed, document=DOCUMENT)


def test_several_sign_side_by_side_and_upon_each_other(
    signer: Identity, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    second = software_authority.signer("法定代表人 李四")
    signed = jades.merge(sign(signer, software_authority), sign(second, software_authority))
    prepared = jades.prepare_counter_signature(
        signed, second.certificate, software_authority.now, signer=0
    )
    prepared = PreparedSignature.from_bytes(prepared.to_bytes())
    signed = jades.assemble_counter_signature(prepared, second.key.sign(prepared.to_be_signed))
    signed = jades.add_signature_timestamp(signed, timestamper, signer=1)
    first, other = jades.read(signed)
    assert verifies(first)
    assert verifies(other)
    assert [each.level for each in (first, other)] == [SignatureLevel.B_B, SignatureLevel.B_T]
    (counter,) = first.counter_signatures
    assert verifies(counter)
    assert counter.signing_certificate == second.certificate
    archived = jades.add_archive_timestamp(signed, timestamper, signer=0)
    with pytest.raises(Conflict, match=r"jades\.archived"):
        jades.prepare_counter_signature(archived, second.certificate, software_authority.now)
    with pytest.raises(Unprocessable, match=r"document\.other"):
        jades.merge(signed, sign(signer, software_authority, document=b"other"))


def test_a_counter_signature_of_another_signature_does_not_verify(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    one = sign(signer, software_authority, serialisation=Serialisation.FLATTENED)
    other = sign(signer, software_authority, document=b"x", serialisation=Serialisation.FLATTENED)
    prepared = jades.prepare_counter_signature(one, signer.certificate, software_authority.now)
    value = signer.key.sign(prepared.to_be_signed)
    countersigned = json.loads(jades.assemble_counter_signature(prepared, value))
    moved = json.loads(other)
    moved["header"] = countersigned["header"]
    (evidence,) = jades.read(json.dumps(moved).encode())
    assert not verifies(evidence.counter_signatures[0])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_byte_of_what_is_archived_never_holds(
    archived: bytes, data: st.DataObject
) -> None:
    newest = json.loads(archived)["header"]["etsiU"][-1].encode()
    covered = [archived.index(newest), archived.index(newest) + len(newest), len(archived)]
    before = st.integers(0, covered[0] - 1)
    after = st.integers(covered[1], covered[2] - 1)
    index, bit = data.draw(before | after), data.draw(st.integers(0, 7))
    changed = bytearray(archived)
    changed[index] ^= 1 << bit
    assert not holds(bytes(changed)) or json.loads(changed) == json.loads(archived)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(SERIALISATIONS), st.data())
def test_any_document_verifies_until_it_changes(
    signer: Identity,
    software_authority: SoftwareAuthority,
    document: bytes,
    serialisation: Serialisation,
    data: st.DataObject,
) -> None:
    signed = sign(
        signer,
        software_authority,
        document=document,
        packaging=Packaging.DETACHED,
        serialisation=serialisation,
    )
    assert holds(signed, document=document)
    if document:
        changed = bytearray(document)
        changed[data.draw(st.integers(0, len(document) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        assert not holds(signed, document=bytes(changed))


@pytest.fixture(scope="module")
def archived(
    signer: Identity,
    software_authority: SoftwareAuthority,
    material: ValidationMaterial,
    timestamper: LocalTimestamper,
) -> bytes:
    signed = sign(signer, software_authority, claims=CLAIMS, timestamper=timestamper)
    signed = jades.add_validation_material(signed, material)
    return jades.add_archive_timestamp(signed, timestamper)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "hs512"])
def test_no_signature_and_shared_secrets_are_refused(signer: Identity, algorithm: str) -> None:
    with pytest.raises(Malformed, match=r"jades\.algorithm"):
        jades.read(compact(signer, {"alg": algorithm, "x5t#S256": _thumbprint(signer)}))


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES384", "EdDSA", "ES256K", "toString"])
def test_the_certificates_key_decides_the_algorithm(signer: Identity, algorithm: str) -> None:
    signed = compact(signer, _header(signer) | {"alg": algorithm})
    (evidence,) = jades.read(signed)
    assert evidence.suite is None
    assert algorithm in evidence.algorithm_name


def test_keys_in_the_header_are_never_used(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    attacker = software_authority.signer("attacker")
    hints = {
        "jwk": public_key(attacker).as_dict(private=False),
        "jku": "https://attacker.invalid/keys",
        "x5u": "https://attacker.invalid/certificate",
        "kid": "attacker",
    }
    header = _header(signer) | hints
    (evidence,) = jades.read(compact(attacker, header))
    assert evidence.signing_certificate == signer.certificate
    assert not verifies(evidence)
    assert len(evidence.observations) == 3


def test_another_certificate_than_the_referenced_is_told(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    attacker = software_authority.signer("attacker")
    x5c = [base64.b64encode(attacker.certificate.der).decode()]
    (evidence,) = jades.read(compact(attacker, _header(signer) | {"x5c": x5c}))
    assert evidence.certificate_reference is not None
    assert not evidence.certificate_reference.matches


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"crit": ["unknown"], "unknown": 1}, "jades.critical"),
        ({"crit": []}, "jades.critical"),
        ({"crit": ["srCms"]}, "jades.critical"),
        ({"crit": ["sigT", "sigT"], "sigT": "2026-01-01T00:00:00Z"}, "jades.critical"),
        ({"crit": ["alg"]}, "jades.critical"),
        ({"crit": "sigT"}, "json.type"),
        ({"sigD": {"mId": "x", "pars": ["a"]}}, "jades.critical"),
        ({"sigD": {"mId": "x", "pars": ["a"]}, "crit": ["sigD"]}, "jades.structure"),
        ({"b64": False}, "jades.unencoded"),
        ({"b64": False, "crit": ["b64"]}, "jades.unencoded"),
        ({"b64": 0, "crit": ["b64"]}, "jades.unencoded"),
        ({"iat": "now"}, "jades.header"),
        ({"iat": True}, "jades.header"),
        ({"sigT": "2026-01-01", "crit": ["sigT"]}, "jades.header"),
        ({"x5c": ["!!!"]}, "json.base64"),
        ({"x5c": ["MAA="]}, "certificate.malformed"),
        ({"x5t#S256": "AB=="}, "json.base64url"),
        ({"x5t#o": {"digAlg": "md5", "digVal": "AA"}, "crit": ["x5t#o"]}, "jades.header"),
    ],
)
def test_header_parameters_that_mislead_are_refused(
    signer: Identity, more: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        jades.read(compact(signer, _header(signer) | more), DOCUMENT)
    assert refusal.value.code == code


def _nested(depth: int) -> str:
    return '{"payload":' + "[" * depth + "]" * depth + "}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "jades.structure"),
        (b"a.b", "jades.structure"),
        (b"a.b.c.d", "jades.structure"),
        (b"[]", "jades.structure"),
        (b"{}", "jades.structure"),
        (b'{"payload":"","payload":"","protected":"","signature":""}', "json.malformed"),
        (b'{"payload":NaN}', "json.malformed"),
        (b'{"payload":"\xff"}', "json.malformed"),
        (_nested(30).encode(), "json.malformed"),
        (_nested(100_000).encode(), "json.malformed"),
        (b'{"payload":"","signatures":[]}', "jades.too-many"),
        (b'{"payload":"","signatures":[{}],"protected":""}', "jades.structure"),
        (b'{"payload":"","signatures":{}}', "json.type"),
        (
            b'{"payload":"","protected":"e30","signature":"","header":{"alg":"ES256"}}',
            "jades.unprotected-header",
        ),
        (b'{"payload":"","protected":"e31","signature":""}', "json.base64url"),
        (b'{"payload":"","protected":"e30=","signature":""}', "json.base64url"),
        (b'{"payload":"","protected":"e30","signature":""}', "json.type"),
    ],
)
def test_what_is_no_jws_is_refused(text: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        jades.read(text)
    assert refusal.value.code == code


def test_doubled_members_of_a_header_are_refused(signer: Identity) -> None:
    doubled = b'{"alg":"ES256","alg":"none"}'
    text = base64.urlsafe_b64encode(doubled).rstrip(b"=") + b".e30.AA"
    with pytest.raises(Malformed, match=r"json\.malformed"):
        jades.read(text)


def test_a_payload_in_another_spelling_is_refused(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    options = {"document": b"ab", "serialisation": Serialisation.FLATTENED}
    value = json.loads(sign(signer, software_authority, **options))
    assert len(value["payload"]) % 4, "the document leaves bits over"
    last = value["payload"][-1]
    value["payload"] = value["payload"][:-1] + chr(ord(last) + 1)
    assert not holds(json.dumps(value).encode())


def test_x5t_o_is_written_for_longer_digests(software_authority: SoftwareAuthority) -> None:
    signer = software_authority.signer(suite=SIGNING_SUITES[1])
    header = header_of(sign(signer, software_authority))
    assert header["x5t#o"]["digAlg"] == "S384"
    assert "x5t#o" in header["crit"]


def test_components_in_clear_are_read_but_not_archived(
    signer: Identity,
    software_authority: SoftwareAuthority,
    timestamper: LocalTimestamper,
    material: ValidationMaterial,
) -> None:
    signed = sign(signer, software_authority, timestamper=timestamper)
    value = json.loads(signed)
    value["header"]["etsiU"] = [
        json.loads(base64.urlsafe_b64decode(each + "=" * (-len(each) % 4)))
        for each in value["header"]["etsiU"]
    ]
    clear = jades.add_validation_material(json.dumps(value).encode(), material)
    assert _level(clear) is SignatureLevel.B_LT
    with pytest.raises(Unprocessable, match=r"jades\.clear-components"):
        jades.add_archive_timestamp(clear, timestamper)


def test_a_removed_component_breaks_the_archive(archived: bytes) -> None:
    value = json.loads(archived)
    assert holds(archived)
    del value["header"]["etsiU"][1]
    assert not holds(json.dumps(value).encode())


def _header(signer: Identity) -> dict[str, Any]:
    return {
        "alg": "ES256",
        "x5t#S256": _thumbprint(signer),
        "x5c": [base64.b64encode(signer.certificate.der).decode()],
    }


def _thumbprint(signer: Identity) -> str:
    digest = signer.certificate.digest("sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _level(signed: bytes) -> SignatureLevel:
    (evidence,) = jades.read(signed, DOCUMENT)
    return evidence.level


def _covered(evidence: SignatureEvidence) -> set[bytes]:
    """Everything in the evidence whose digest the last archive timestamp names."""
    things = [
        evidence.signature_value,
        *(each.der for each in evidence.embedded_certificates),
        *evidence.embedded_crls,
        *evidence.embedded_ocsp,
        *(stamp.token for stamp in evidence.timestamps),
    ]
    covers = evidence.timestamps[-1].covers
    return {thing for thing in things if hashlib.sha256(thing).digest() in covers}
