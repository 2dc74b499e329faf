"""The protected header of a JAdES signature (TS 119 182-1, 5.1 and 5.2), written and read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kernel.algorithms import SUITES_BY_JOSE, AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Unprocessable
from signing_service.formats.claims import COMMITMENT_URIS, COMMITMENTS_BY_URI, Claims
from signing_service.formats.jades import jose_json as json
from signing_service.validation.evidence import CertificateReference

MAX_CERTIFICATES = 32
MAX_ROLES = 16
DIGESTS = {"S256": "sha256", "S384": "sha384", "S512": "sha512"}
DIGEST_NAMES = {digest: name for name, digest in DIGESTS.items()}
_OID = "urn:oid:"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND = 253_402_300_799
_UNDERSTOOD = frozenset(
    {
        "b64", "sigT", "x5t#o", "sigX5ts", "srCms", "sigPl", "srAts", "adoTst", "sigPId", "sigD",
    }
)  # fmt: skip
"""What `crit` may name: the parameters of RFC 7797 and of TS 119 182-1, 5.2."""
_KEY_HINTS = ("jwk", "jku", "x5u")


def signed_header(
    certificate: Certificate,
    chain: Sequence[Certificate],
    suite: AlgorithmSuite,
    signing_time: datetime,
    claims: Claims,
    more: dict[str, Any],
) -> dict[str, Any]:
    """The header with `more` (sigD, b64, adoTst, cty) in it. Raises Unprocessable
    `algorithm.unfit` (no JOSE name)."""
    if suite.jose is None:
        raise Unprocessable("algorithm.unfit", "no JOSE name", suite=suite.name)
    header: dict[str, Any] = {"alg": suite.jose}
    if claims.mime_type is not None and "sigD" not in more:
        header["cty"] = _short_type(claims.mime_type)
    header["iat"] = int(signing_time.timestamp())
    header |= _certificate_digest(certificate, suite)
    header["x5c"] = [json.encode_base64(each.der) for each in dict.fromkeys((certificate, *chain))]
    if claims.commitment is not None:
        uri = COMMITMENT_URIS.get(claims.commitment, _OID + claims.commitment)
        header["srCms"] = [{"commId": {"id": uri}}]
    if claims.roles:
        values = {"mediaType": "text/plain", "encoding": "binary", "qVals": list(claims.roles)}
        header["srAts"] = {"claimed": [values]}
    if claims.policy is not None:
        header["sigPId"] = {
            "id": {"id": _OID + claims.policy.identifier},
            "digAlg": _digest_name(claims.policy.digest),
            "digVal": json.encode(claims.policy.value),
        }
    header |= more
    critical = [name for name in header if name in _UNDERSTOOD]
    if critical:
        header["crit"] = critical
    return header


@dataclass(frozen=True)
class ReadHeader:
    """A protected header, its parameters checked one by one."""

    members: dict[str, Any]
    suite: AlgorithmSuite | None
    algorithm: str
    certificates: tuple[Certificate, ...]
    """x5c, in its order."""
    references: tuple[tuple[str, bytes], ...]
    """(hashlib's name, digest) of x5t#S256, x5t#o or sigX5ts; the first is the signer's."""
    signing_time: datetime | None
    content_type: str | None
    commitment: str | None
    roles: tuple[str, ...]
    policy: str | None
    policy_digest: tuple[str, bytes] | None
    observations: tuple[str, ...]

    @property
    def encodes_payload(self) -> bool:
        return bool(self.members.get("b64", True))

    def signing_certificate(
        self, known: Sequence[Certificate]
    ) -> tuple[Certificate | None, CertificateReference | None]:
        """The certificate that the reference names; without a reference the first of x5c.

        No header parameter but these chooses a key: jwk, jku, x5u and kid never do.
        """
        candidates = (*self.certificates, *known)
        if not self.references:
            return (self.certificates[0] if self.certificates else None), None
        name, value = self.references[0]
        for candidate in candidates:
            if candidate.digest(name) == value:
                return candidate, CertificateReference(name, value, matches=True)
        certificate = self.certificates[0] if self.certificates else None
        return certificate, CertificateReference(name, value, matches=False)


def read_header(members: dict[str, Any]) -> ReadHeader:
    """Raises Malformed `jades.algorithm`, `jades.critical`, `jades.header`,
    `jades.unencoded`, `json.*`, `certificate.malformed`."""
    algorithm = json.text_of(members.get("alg"))
    if algorithm.lower() == "none" or algorithm.upper().startswith("HS"):
        raise Malformed("jades.algorithm", "an algorithm that is no signature's")
    _check_critical(members)
    encoded = json.array_of(members.get("x5c", []), MAX_CERTIFICATES)
    certificates = tuple(Certificate.parse(json.decode_base64(each)) for each in encoded)
    hints = tuple(name for name in _KEY_HINTS if name in members)
    policy, policy_digest = _policy(members)
    return ReadHeader(
        members=members,
        suite=SUITES_BY_JOSE.get(algorithm),
        algorithm=algorithm[:64],
        certificates=certificates,
        references=_references(members),
        signing_time=_signing_time(members),
        content_type=_content_type(members),
        commitment=_commitment(members),
        roles=_roles(members),
        policy=policy,
        policy_digest=policy_digest,
        observations=tuple(f"the header parameter {name} was not used" for name in hints),
    )


def digest_named(name: object) -> str:
    """hashlib's name of a digest algorithm of TS 119 182-1. Raises Malformed `jades.header`."""
    try:
        return DIGESTS[json.text_of(name)]
    except KeyError:
        raise Malformed("jades.header", "this digest algorithm is not known") from None


def _check_critical(members: dict[str, Any]) -> None:
    """RFC 7515, 4.1.11; RFC 7797, 6; TS 119 182-1, 5.1.9 and 5.1.10."""
    critical = members.get("crit", [])
    names = json.array_of(critical, len(_UNDERSTOOD))
    if "crit" in members and not names:
        raise Malformed("jades.critical", "an empty crit")
    if len(set(map(json.text_of, names))) != len(names):
        raise Malformed("jades.critical", "crit names a parameter twice")
    for name in names:
        if name not in _UNDERSTOOD or name not in members:
            raise Malformed("jades.critical", "crit names what is not understood or not there")
    if "sigD" in members and "sigD" not in names:
        raise Malformed("jades.critical", "sigD is critical")
    if "b64" in members:
        if not isinstance(members["b64"], bool) or "b64" not in names:
            raise Malformed("jades.unencoded", "b64 is a critical boolean")
        if not members["b64"] and "sigD" not in members:
            raise Malformed("jades.unencoded", "an unencoded payload only where sigD says so")


def _certificate_digest(certificate: Certificate, suite: AlgorithmSuite) -> dict[str, Any]:
    digest = json.encode(certificate.digest(suite.digest))
    if suite.digest == "sha256":
        return {"x5t#S256": digest}
    return {"x5t#o": {"digAlg": _digest_name(suite.digest), "digVal": digest}}


def _references(members: dict[str, Any]) -> tuple[tuple[str, bytes], ...]:
    found: list[tuple[str, bytes]] = []
    if "x5t#S256" in members:
        found.append(("sha256", json.decode(members["x5t#S256"])))
    others = json.array_of(members.get("sigX5ts", []), MAX_CERTIFICATES)
    if "x5t#o" in members:
        others = [members["x5t#o"], *others]
    found += (
        (digest_named(other.get("digAlg")), json.decode(other.get("digVal")))
        for other in map(json.object_of, others)
    )
    return tuple(found)


def _signing_time(members: dict[str, Any]) -> datetime | None:
    """iat (5.1.11), or sigT of older signatures (5.2.1)."""
    if "iat" in members:
        seconds = members["iat"]
        if type(seconds) is int and 0 <= seconds <= _LAST_SECOND:
            return _EPOCH + timedelta(seconds=seconds)
        raise Malformed("jades.header", "iat is a count of seconds")
    if "sigT" not in members:
        return None
    try:
        text = json.text_of(members["sigT"])
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Malformed("jades.header", "sigT is a UTC time") from None


def _content_type(members: dict[str, Any]) -> str | None:
    if "cty" not in members:
        return None
    text = json.text_of(members["cty"])[:256]
    return text if "/" in text else f"application/{text}"


def _short_type(mime_type: str) -> str:
    """RFC 7515, 4.1.10: without `application/` where no other slash follows."""
    short = mime_type.removeprefix("application/")
    return mime_type if "/" in short else short


def _commitment(members: dict[str, Any]) -> str | None:
    commitments = json.array_of(members.get("srCms", []), MAX_ROLES)
    if not commitments:
        return None
    identifier = _identifier(json.object_of(commitments[0]).get("commId"))
    return COMMITMENTS_BY_URI.get(identifier, identifier)


def _roles(members: dict[str, Any]) -> tuple[str, ...]:
    attributes = json.object_of(members.get("srAts", {}))
    roles: list[str] = []
    for claimed in json.array_of(attributes.get("claimed", []), MAX_ROLES):
        values = json.array_of(json.object_of(claimed).get("qVals", []), MAX_ROLES)
        roles += (value[:256] for value in values if isinstance(value, str))
    return tuple(roles[:MAX_ROLES])


def _policy(members: dict[str, Any]) -> tuple[str | None, tuple[str, bytes] | None]:
    if "sigPId" not in members:
        return None, None
    policy = json.object_of(members["sigPId"])
    identifier = _identifier(policy.get("id"))
    if "digVal" not in policy:
        return identifier, None
    return identifier, (digest_named(policy.get("digAlg")), json.decode(policy["digVal"]))


def _identifier(value: object) -> str:
    """The `id` of an oId object; dotted where it is an object identifier."""
    return json.text_of(json.object_of(value).get("id"))[:256].removeprefix(_OID)


def _digest_name(digest: str) -> str:
    try:
        return DIGEST_NAMES[digest]
    except KeyError:
        raise Unprocessable("algorithm.unfit", "JAdES has no name for it", name=digest) from None
