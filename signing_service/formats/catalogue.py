"""From level to level in every format, by its name, so that no use case asks which it has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType, ModuleType
from typing import Generic, Protocol, TypeVar

from kernel.refusals import Unprocessable
from signing_service.formats.asic import whole as asic
from signing_service.formats.cades import whole as cades
from signing_service.formats.document import Document
from signing_service.formats.jades import whole as jades
from signing_service.formats.pades import whole as pades
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.formats.xades import whole as xades
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import SignatureFormat, SignatureLevel

SignedT = TypeVar("SignedT", bytes, asic.Container)
"""A signed file; or a container around documents on disk."""


class AddSignatureTimestamp(Protocol[SignedT]):
    def __call__(
        self, signed: SignedT, timestamper: Timestamper, *, signer: int = 0, digest: str = "sha256"
    ) -> SignedT:
        """B-B to B-T. `signer` counts the signatures from zero."""
        ...


class AddValidationMaterial(Protocol[SignedT]):
    def __call__(
        self, signed: SignedT, material: ValidationMaterial, *, signer: int = 0
    ) -> SignedT:
        """B-T to B-LT: what is not there yet of the signer's and the timestamps' material."""
        ...


class AddArchiveTimestamp(Protocol[SignedT]):
    def __call__(
        self,
        signed: SignedT,
        timestamper: Timestamper,
        *,
        document: Document | None = None,
        signer: int = 0,
        digest: str = "sha256",
    ) -> SignedT:
        """B-LT to B-LTA; once more renews. `document` is needed for detached signatures."""
        ...


@dataclass(frozen=True, slots=True)
class Levels(Generic[SignedT]):
    """What one format offers. A refusal says where a signature cannot be taken higher."""

    add_signature_timestamp: AddSignatureTimestamp[SignedT]
    add_validation_material: AddValidationMaterial[SignedT]
    add_archive_timestamp: AddArchiveTimestamp[SignedT]


_ASIC: Levels[bytes] = Levels(
    asic.add_signature_timestamp, asic.add_validation_material, asic.add_archive_timestamp
)
_LARGE: Levels[asic.Container] = Levels(
    asic.add_signature_timestamp, asic.add_validation_material, asic.add_archive_timestamp
)
LEVELS: Mapping[SignatureFormat, Levels[bytes]] = MappingProxyType(
    {
        SignatureFormat.CADES: Levels(
            cades.add_signature_timestamp,
            cades.add_validation_material,
            cades.add_archive_timestamp,
        ),
        SignatureFormat.XADES: Levels(
            xades.add_signature_timestamp,
            xades.add_validation_material,
            xades.add_archive_timestamp,
        ),
        SignatureFormat.PADES: Levels(
            pades.add_signature_timestamp,
            pades.add_validation_material,
            pades.add_archive_timestamp,
        ),
        SignatureFormat.JADES: Levels(
            jades.add_signature_timestamp,
            jades.add_validation_material,
            jades.add_archive_timestamp,
        ),
        SignatureFormat.ASIC_S: _ASIC,
        SignatureFormat.ASIC_E: _ASIC,
    }
)


def levels_of(format_: SignatureFormat) -> Levels[bytes]:
    """Raises Unprocessable `format.unsupported`."""
    try:
        return LEVELS[format_]
    except KeyError:
        raise Unprocessable("format.unsupported", "this format knows no levels") from None


_STEPS = (SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA)


def raise_to(
    level: SignatureLevel,
    format_: SignatureFormat,
    signed: bytes,
    document: Document | None,
    timestamper: Timestamper,
    material: Callable[[bytes], ValidationMaterial],
    *,
    signer: int,
    have: SignatureLevel = SignatureLevel.B_B,
) -> bytes:
    """Signature number `signer` in `signed`, from the level that it has to `level`.

    `document` is the one beside a detached signature; `material` finds what validates the
    signature in the file as it then is. Raises Unprocessable `level.unknown`, and as the
    format's steps.
    """
    return _raised(levels_of(format_), level, signed, document, timestamper, material, signer, have)


def raise_container(
    level: SignatureLevel,
    container: asic.Container,
    timestamper: Timestamper,
    material: Callable[[asic.Container], ValidationMaterial],
) -> asic.Container:
    """The same for the one signature of a new container around documents on disk."""
    have = SignatureLevel.B_B
    return _raised(_LARGE, level, container, None, timestamper, material, 0, have)


def raise_counter(
    level: SignatureLevel,
    prepared: PreparedSignature,
    signed: bytes,
    value: bytes,
    document: Document | None,
    timestamper: Timestamper,
    material: Callable[[bytes], ValidationMaterial],
    *,
    signer: int,
) -> bytes:
    """The counter-signature that was prepared so, in `signed`, upon signature number `signer`,
    from B-B to `level`. `value` has the X.509 shape.

    Raises Unprocessable `level.counter` where the format has no such level for it; as `raise_to`.
    """
    inner = counter_format(prepared)
    check_counter_level(level, inner)
    written = value if inner is SignatureFormat.CADES else prepared.suite.to_raw(value)
    module = _COUNTER_MODULES[prepared.format]
    levels: Levels[bytes] = Levels(
        partial(module.add_signature_timestamp, counter=written),
        partial(module.add_validation_material, counter=written),
        partial(module.add_archive_timestamp, counter=written),
    )
    beside = None if module is asic else document
    have = SignatureLevel.B_B
    return _raised(levels, level, signed, beside, timestamper, material, signer, have)


def counter_format(prepared: PreparedSignature) -> SignatureFormat:
    """The format of a prepared counter-signature itself, inside a container too."""
    inner, _, _ = (
        asic.prepared_parts(prepared) if _COUNTER_MODULES[prepared.format] is asic
        else (prepared, None, None)
    )  # fmt: skip
    return inner.format


def check_counter_level(level: SignatureLevel, inner: SignatureFormat) -> None:
    """Raises Unprocessable `level.counter`: a CMS counter-signature has no archive timestamp of its
    own, that of the signature below covers it."""
    if inner is SignatureFormat.CADES and level is SignatureLevel.B_LTA:
        raise Unprocessable(
            "level.counter",
            "a CAdES counter-signature is made up to B-LT; archive the signature that it is upon",
        )


_COUNTER_MODULES: Mapping[SignatureFormat, ModuleType] = MappingProxyType(
    {
        SignatureFormat.CADES: cades,
        SignatureFormat.XADES: xades,
        SignatureFormat.JADES: jades,
        SignatureFormat.ASIC_S: asic,
        SignatureFormat.ASIC_E: asic,
    }
)


def _raised(
    levels: Levels[SignedT],
    level: SignatureLevel,
    signed: SignedT,
    document: Document | None,
    timestamper: Timestamper,
    material: Callable[[SignedT], ValidationMaterial],
    signer: int,
    have: SignatureLevel,
) -> SignedT:
    if level is SignatureLevel.B_B:
        return signed
    if level not in _STEPS:
        raise Unprocessable("level.unknown", "sign as B-B, B-T, B-LT or B-LTA")
    if have is SignatureLevel.B_B:
        signed = levels.add_signature_timestamp(signed, timestamper, signer=signer)
    if level is SignatureLevel.B_T:
        return signed
    signed = levels.add_validation_material(signed, material(signed), signer=signer)
    if level is SignatureLevel.B_LT:
        return signed
    return levels.add_archive_timestamp(signed, timestamper, document=document, signer=signer)
