"""A stranger's signature raised with material that was fetched for it."""

from collections.abc import Callable

import pytest

from kernel.refusals import Conflict, Malformed, Unprocessable
from records.database import Database
from records.journal import Journal
from signing_service.extension import Extension
from signing_service.formats.asic import whole as asic
from signing_service.formats.cades import whole as cades
from signing_service.formats.jades import whole as jades
from signing_service.formats.pades import whole as pades
from signing_service.formats.recognition import read_signatures
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.formats.xades import whole as xades
from signing_service.validation.evidence import SignatureLevel
from signing_service.verification import Verification
from tests.signing_service.formats.pades.pdf.samples import sample
from tests.signing_service.validation.scenery import DAY, START, YEAR, Card
from tests.signing_service.validation.test_fetching import Online, Site, site
from tests.signing_service.validation.test_revocation import a_crl, an_ocsp

__all__ = ["site"]
DOCUMENT = b"<d>1</d>"
Sign = Callable[[Card], bytes]
SIGN: dict[str, Sign] = {
    "CAdES": lambda card: cades.sign(DOCUMENT, card.key, card.certificate, START),
    "XAdES": lambda card: xades.sign(DOCUMENT, card.key, card.certificate, START),
    "PAdES": lambda card: pades.sign(sample(), card.key, card.certificate, START),
    "JAdES": lambda card: jades.sign(DOCUMENT, card.key, card.certificate, START),
    "ASiC": lambda card: asic.sign({"d.xml": DOCUMENT}, card.key, card.certificate, START),
}


class NothingOfOurs:
    """The stranger's authority is not ours: we have no fresh answers of its responder."""

    def of(self, certificates: object) -> ValidationMaterial:
        return ValidationMaterial()


class Scene:
    """A card of a stranger's authority, whose status is on a site; our timestamp authority."""

    def __init__(self, site: Site, database: Database) -> None:
        self.world = Online(site)
        self.site = site
        self.stamping = self.world.root.tsa()
        self.verification = Verification(
            self.world.anchors(),
            (self.world.book,),
            self.world.registry,
            self.world.policy,
            self.world.clock,
            fetcher=self.world.status,
        )
        self.extension = Extension(
            self.verification,
            NothingOfOurs(),
            self.world.timestamper(self.stamping),
            database,
            Journal(self.world.clock),
        )

    def card(self, by: str) -> Card:
        world = self.world
        if by == "ocsp":
            card = world.online_card(ocsp="/status")
            self.site.pages["/status"] = an_ocsp(card, world.issuing, world.issuing)
        else:
            card = world.online_card(crl="/status")
            self.site.pages["/status"] = a_crl(world.issuing)
        return card

    def extend(self, name: str, signed: bytes, level: SignatureLevel) -> bytes:
        return self.extension.extend(*presented(name, signed), level, "card-1").signed


def presented(name: str, signed: bytes) -> tuple[bytes, bytes | None]:
    return (DOCUMENT, signed) if name == "CAdES" else (signed, None)


@pytest.fixture
def scene(site: Site, database: Database) -> Scene:
    return Scene(site, database)


@pytest.mark.parametrize("by", ["ocsp", "crl"])
@pytest.mark.parametrize("name", SIGN)
def test_what_was_fetched_is_embedded_and_outlives_its_source(
    scene: Scene, name: str, by: str
) -> None:
    raised = scene.extend(name, SIGN[name](scene.card(by)), SignatureLevel.B_LTA)
    (evidence,) = read_signatures(*presented(name, raised))
    assert evidence.level is SignatureLevel.B_LTA
    assert bool(evidence.embedded_ocsp) is (by == "ocsp")
    assert bool(evidence.embedded_crls) is (by == "crl")
    issuers = {each.subject_text() for each in evidence.embedded_certificates}
    assert "CN=Issuing CA" in issuers
    del scene.site.pages["/status"]
    scene.world.clock.advance(YEAR)
    assert scene.verification.verify(*presented(name, raised)).passed


def test_each_step_is_taken_from_where_the_signature_is(scene: Scene) -> None:
    signed = SIGN["XAdES"](scene.card("ocsp"))
    kinds = []
    for level in (SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA):
        signed = scene.extend("XAdES", signed, level)
        scene.world.clock.advance(DAY / 24)
        (evidence,) = read_signatures(signed, None)
        kinds.append([str(each.kind).split("-")[0] for each in evidence.timestamps])
    assert kinds == [["signature"], ["signature"], ["signature", "archive"]]
    with pytest.raises(Conflict, match=r"level\.reached"):
        scene.extend("XAdES", signed, SignatureLevel.B_LT)


def test_what_cannot_be_raised_is_refused(scene: Scene) -> None:
    card = scene.card("ocsp")
    signed = SIGN["CAdES"](card)
    with pytest.raises(Unprocessable, match=r"level\.unknown"):
        scene.extend("CAdES", signed, SignatureLevel.B_B)
    with pytest.raises(Unprocessable, match=r"signature\.not-passed"):
        scene.extension.extend(b"another", signed, SignatureLevel.B_T, "card-1")
    with pytest.raises(Malformed, match=r"signature\.none"):
        scene.extension.extend(DOCUMENT, signed, SignatureLevel.B_T, "card-1", signer=1)
    with pytest.raises(Malformed):
        scene.extension.extend(b"no signature", None, SignatureLevel.B_T, "card-1")
