"""Real B-LTA bytes through time: what the formats say that archive timestamps cover is what the
engine needs to judge after authorities and their keys have ended."""

from datetime import timedelta

import pytest

from signing_service.formats.cades import whole as cades
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.formats.xades import whole as xades
from tests.signing_service.validation.scenery import DAY, YEAR
from tests.signing_service.validation.test_engine import verdict
from tests.signing_service.validation.test_long_term import LongTerm

XML = b"<declaration><item>1</item></declaration>"


@pytest.mark.parametrize("name", ["cades", "xades"])
def test_an_archived_signature_outlives_card_and_authority(name: str) -> None:
    world = LongTerm()
    make = cades if name == "cades" else xades
    stamper = world.timestamper(world.tsa)
    chain = (world.issuing.certificate,)
    signed = make.sign(
        XML, world.card.key, world.card.certificate, world.clock.now(),
        chain=chain, timestamper=stamper,
    )  # fmt: skip
    world.clock.advance(timedelta(hours=1))
    above = (world.issuing.certificate.der, world.stamping.certificate.der)
    material = ValidationMaterial(above, crls=world.lists())
    extended = make.add_validation_material(signed, material)
    world.clock.advance(DAY)
    document = XML if name == "cades" else None
    archived = make.add_archive_timestamp(extended, stamper, document=document)

    def judged(data: bytes) -> str:
        (evidence,) = cades.read(data, XML) if name == "cades" else xades.read(data)
        return verdict(world.judge(evidence))

    assert judged(archived) == "TOTAL-PASSED"
    world.clock.advance(4 * YEAR)  # card and issuing authority have ended
    assert judged(archived) == "TOTAL-PASSED"
    assert judged(extended) == "INDETERMINATE/OUT_OF_BOUNDS_NO_POE"
