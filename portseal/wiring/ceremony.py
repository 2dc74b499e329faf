"""A ceremony put together from the settings."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from ca.ceremonies.ceremony import Ceremony
from ca.ceremonies.conduct import CeremonyOutcome, Conduct, Watchers
from ca.ceremonies.labels import ISSUING_TOKEN, ROOT_TOKEN
from ca.ceremonies.transcript import sign_transcript
from kernel.refusals import Unavailable
from policies.ceremony_plan import CeremonyPlan
from portseal.settings import Settings
from portseal.wiring.house import House


def conduct_ceremony(
    settings: Settings,
    plan: CeremonyPlan,
    conduct: Conduct,
    watchers: Watchers,
    conclude: Callable[[House], None] = lambda house: None,
    prepare: Callable[[House], None] = lambda house: None,
    secure: Callable[[House], None] = lambda house: None,
) -> CeremonyOutcome:
    """Bring the database up to date and hold the ceremony, or the rest of one that died.

    `prepare`: before any token is looked at. `secure`: when everything is made. `conclude`: when
    it is told, too, before the ceremony counts as finished.
    """
    # Two tokens that do not hold the same keys yet are no pool: the first gets them, and `conclude`
    # brings them to the others.
    house = House(settings, with_root=True, pooled=False)
    house.database.upgrade()
    try:
        prepare(house)
        watchers = replace(watchers, secure=lambda: secure(house), conclude=lambda: conclude(house))
        return ceremony_of(house, plan, conduct, watchers).run()
    finally:
        house.close()


def ceremony_of(house: House, plan: CeremonyPlan, conduct: Conduct, watchers: Watchers) -> Ceremony:
    """Raises Unavailable `token.missing` when the root's own token is not plugged in."""
    if house.settings.root_token is not None and house.root_token is None:
        label = house.settings.root_token.label
        raise Unavailable("token.missing", "plug in the root's token", token=label)
    return Ceremony(
        {ROOT_TOKEN: house.root_token or house.token, ISSUING_TOKEN: house.token},
        plan,
        conduct,
        house.profiles,
        house.database,
        house.journal,
        house.outbox,
        house.clock,
        house.entropy,
        house.addresses,
        watchers,
    )


def sign_with_new_keys(house: House, transcript: bytes) -> bytes:
    """Detached CMS by the authority that issues now."""
    return sign_transcript(house.authorities.issuing_key, transcript)


def stamp_with_new_keys(house: House, transcript: bytes) -> bytes:
    """An RFC 3161 token by our own timestamp authority."""
    return house.timestamper.stamp(hashlib.sha256(transcript).digest(), "sha256")
