"""One software authority, and a timestamp authority under it, for the tests of formats."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernel.clock import FixedClock, SystemClock
from kernel.entropy import SystemEntropy
from policies.validation import load_validation_policy
from signing_service.formats.asic import whole as asic
from signing_service.formats.cades import whole as cades
from signing_service.formats.jades import whole as jades
from signing_service.formats.pades import whole as pades
from signing_service.formats.xades import whole as xades
from signing_service.timestamping.authority import TimestampAuthority
from signing_service.timestamping.client import LocalTimestamper
from signing_service.trust import TrustAnchors, TrustedAuthority
from signing_service.verification import Verification
from tests.signing_service.long_way import Presented, judged_both_ways
from tests.signing_service.validation.scenery import Registry, StatusBook
from tests.software_keys import Identity, SoftwareAuthority

_ATTACKS = {"pades_attacks", "xml_attacks", "xml_wrapping", "asic", "jades", "cades", "bundle"}
_MOST_FILES = 40
"""Of one test: some flip hundreds."""


@pytest.fixture(scope="session")
def software_authority() -> SoftwareAuthority:
    return SoftwareAuthority()


@pytest.fixture(scope="session")
def signer(software_authority: SoftwareAuthority) -> Identity:
    return software_authority.signer()


@pytest.fixture(scope="session")
def timestamper(software_authority: SoftwareAuthority) -> LocalTimestamper:
    tsa = software_authority.timestamp_authority()
    return LocalTimestamper(
        TimestampAuthority(
            tsa.key, tsa.certificate, tsa.chain, "1.3.6.1.4.1.99999.1", SystemClock(),
            SystemEntropy(),
        )
    )  # fmt: skip


@pytest.fixture(scope="session")
def declaration() -> bytes:
    return (Path(__file__).parents[2] / "samples" / "dec-import.xml").read_bytes()


@pytest.fixture(scope="session")
def inventory() -> bytes:
    return (Path(__file__).parents[2] / "samples" / "ceb621.xml").read_bytes()


@pytest.fixture(autouse=True)
def _every_attack_is_judged_both_ways(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch,
    software_authority: SoftwareAuthority,
) -> Iterator[None]:  # fmt: skip
    """The files that the tests of attacks read are a corpus, too: what is remembered from one
    must not change the verdict on another."""
    module = request.module
    if module.__name__.rpartition(".test_")[2] not in _ATTACKS:
        yield
        return
    files: dict[Presented, None] = {}
    for format_ in (asic, cades, jades, pades, xades):
        monkeypatch.setattr(format_, "read", _noting(format_.read, files))
    yield
    monkeypatch.undo()
    own = getattr(module, "AUTHORITY", None) or getattr(module, "WORLD", None)
    judged_both_ways(_trusting(software_authority, own), *list(files)[:_MOST_FILES])


def _noting(read: Callable[..., Any], files: dict[Presented, None]) -> Callable[..., Any]:
    def noted(signed: Any, document: Any = None, **more: Any) -> Any:
        if isinstance(signed, bytes) and isinstance(document, bytes | None):
            files[(signed, None) if document is None else (document, signed)] = None
        return read(signed, document, **more) if document is not None else read(signed, **more)

    return noted


def _trusting(authority: SoftwareAuthority, own: Any) -> Verification:
    """No certificates are known but the roots, so that the way of moulds is open."""
    roots = [authority.root.certificate]
    issuers = {
        each.fingerprint for each in (authority.root.certificate, authority.issuing.certificate)
    }
    if own is not None:
        roots.append(own.root.certificate)
        issuers |= {own.root.certificate.fingerprint, own.issuing.certificate.fingerprint}
    anchors = TrustAnchors(tuple(TrustedAuthority(f"root {n}", (r,)) for n, r in enumerate(roots)))
    clock = FixedClock(authority.now)
    status = StatusBook(clock, issuers=issuers)
    return Verification(anchors, (status,), Registry(), load_validation_policy(), clock)
