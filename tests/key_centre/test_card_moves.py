"""Every move of a card takes its encryption certificate with it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from ca.crl.archive import CrlArchive
from ca.inventory import RevocationReason
from ca.mass.reissue import Reissue
from ca.ocsp.messages import single_request
from ca.ocsp.responder import OcspResponder
from ca.regional import RegionalIssuing
from ca.revocation import Revocation
from hsm.pyca import certificate_request
from kernel.asn1.certificate import Certificate
from kernel.renewal_statement import renewal_statement
from policies.card_life import card_life_policy
from portseal.key_centre_ports import IssuingCertifier, PortalCards
from ra_portal.mass_actions.mass_filter import Act, CardFilter
from ra_portal.people.identity import Identity, Role
from tests.ca.crl.test_crl import crl_issuer
from tests.ca.openssl import openssl, run
from tests.key_centre.world import SIGNING, TRANSPORT, CentreWorld, Holder
from tests.ra_portal.world import ORIGIN
from tests.software_keys import SoftwareKey

GOOD, HELD = ("issued", None), ("revoked", "certificateHold")


@dataclass
class Pair:
    """An operator's card with both certificates, and who has charge of it."""

    centre: CentreWorld
    owner: Identity
    holder: Holder
    encryption: Certificate

    @property
    def number(self) -> str:
        return self.holder.card.number

    @property
    def itself(self) -> Identity:
        card = self.holder.card
        return Identity(card.holder.kind, card.holder.id, "张操作")

    def states(self) -> list[tuple[str, str | None]]:
        """Of the signing and of the encryption certificate."""
        found = []
        for each in (self.holder.signing, self.encryption):
            record = self.centre.inventory.by_serial(each.serial)
            assert record is not None
            found.append((str(record.state), record.reason and str(record.reason)))
        return found


def pair(centre: CentreWorld) -> Pair:
    owner = centre.enterprise()
    holder = centre.operator(owner)
    return Pair(centre, owner, holder, delivered(centre, holder))


def delivered(centre: CentreWorld, holder: Holder) -> Certificate:
    asked = holder.asks_for(TRANSPORT.public_key)
    return centre.centre.deliveries.deliver(asked).certificate


def freeze(pair: Pair) -> None:
    pair.centre.portal.services.life.freeze(pair.owner, pair.number, "休假")


def unfreeze(pair: Pair) -> None:
    freeze(pair)
    pair.centre.portal.services.life.unfreeze(pair.owner, pair.number, "归来")


def lose(pair: Pair) -> None:
    pair.centre.portal.services.life.report_loss(pair.owner, pair.number, "telephone")


def revoke(pair: Pair) -> None:
    reason = RevocationReason.PRIVILEGE_WITHDRAWN
    pair.centre.portal.services.cards.revoke(pair.owner, pair.number, reason)


def replace_card(pair: Pair) -> Holder:
    _, code = pair.centre.portal.services.cards.replace(pair.owner, pair.number)
    assert code is not None
    return pair.centre.enrolled(code)


def renew(pair: Pair) -> Holder:
    """The card asks for its successor, with a second key on the same token."""
    services, token = pair.centre.portal.services, pair.holder.token
    old, new = token.key(SIGNING), token.generate("signing-2", token.key(SIGNING).suite)
    begun = services.renewal.begin(pair.itself, pair.number, certificate_request(new, "card"))
    statement = renewal_statement(old.public_key, new.public_key, ORIGIN, begun.challenge)
    made = services.renewal.finish(pair.itself, begun.id, old.sign(statement))
    return Holder(token, made.card, made.certificate, "signing-2")


def renew_near_the_end(pair: Pair) -> Holder:
    clock = pair.centre.portal.authority.clock
    clock.advance(pair.holder.signing.not_after - timedelta(days=20) - clock.now())
    return renew(pair)


def rename(pair: Pair) -> Holder:
    pair.centre.portal.demand_renewal(pair.holder.card)
    assert pair.states() == [GOOD, GOOD], "thirty days to renew"
    return renew(pair)


def rename_and_forget(pair: Pair) -> None:
    portal = pair.centre.portal
    portal.demand_renewal(pair.holder.card)
    portal.authority.clock.advance(card_life_policy().renewal.grace + timedelta(days=1))
    portal.services.expiry.end_overdue_renewals()


def close_enterprise(pair: Pair) -> None:
    services, administrator = pair.centre.portal.services, pair.centre.officer(Role.ADMINISTRATOR)
    card = services.operators.page(pair.owner).card
    assert card is not None
    reason = RevocationReason.CESSATION_OF_OPERATION
    services.cards.revoke(administrator, card.number, reason)


def freeze_many(pair: Pair) -> None:
    mass = pair.centre.portal.services.mass_actions
    first, second = pair.centre.officer(Role.ADMINISTRATOR), pair.centre.officer(Role.ADMINISTRATOR)
    proposed = mass.propose(first, Act.FREEZE, CardFilter(kind="operator"), "核查")
    mass.confirm(second, proposed.id)
    mass.run()


@pytest.mark.parametrize(
    ("move", "state"),
    [
        (freeze, HELD),
        (unfreeze, GOOD),
        (lose, ("revoked", "keyCompromise")),
        (revoke, ("revoked", "privilegeWithdrawn")),
        (replace_card, ("revoked", "superseded")),
        (renew, ("revoked", "superseded")),
        (renew_near_the_end, ("revoked", "superseded")),
        (rename, ("revoked", "superseded")),
        (rename_and_forget, ("revoked", "superseded")),
        (close_enterprise, ("revoked", "cessationOfOperation")),
        (freeze_many, HELD),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)
def test_a_move_of_the_card_is_one_of_both_certificates(
    centre: CentreWorld, move: Callable[[Pair], Holder | None], state: tuple[str, str | None]
) -> None:
    moved = pair(centre)
    following = move(moved)
    assert moved.states() == [state] * 2
    if following is None:
        return
    new = delivered(centre, following)
    assert new.spki != moved.encryption.spki
    assert new.subject_der == following.signing.subject_der
    assert new.not_after == following.signing.not_after
    assert Pair(centre, moved.owner, following, new).states() == [GOOD, GOOD]


def test_openssl_reads_the_hold_of_both_and_its_end(centre: CentreWorld, tmp_path: Path) -> None:
    """In OCSP answers and in the certificate revocation list."""
    moved, world = pair(centre), centre.portal.authority
    own, held = world.authorities["issuing"].own, world.authorities["issuing"].responder
    root = world.authorities["root"].own.certificate
    issuer, ca = tmp_path / "issuer.pem", tmp_path / "ca.pem"
    issuer.write_text(own.certificate.pem)
    ca.write_text(own.certificate.pem + root.pem)
    files = {}
    for name, each in (("signing", moved.holder.signing), ("encryption", moved.encryption)):
        files[name] = tmp_path / f"{name}.pem"
        files[name].write_text(each.pem)
    responder = OcspResponder(
        "issuing", own.certificate, held.key, held.certificate, world.database, world.clock
    )

    def told() -> list[tuple[str, bool, bool]]:
        """Of each: what OCSP says, whether a hold is named, and whether the list lets it pass."""
        crl_issuer(world).issue()
        crl = CrlArchive(world.database).latest("issuing")
        assert crl is not None
        (tmp_path / "crl.der").write_bytes(crl.der)
        pem = tmp_path / "crl.pem"
        openssl("crl", "-inform", "DER", "-in", tmp_path / "crl.der", "-out", pem)
        found = []
        for path, serial in zip(
            files.values(), (moved.holder.signing.serial, moved.encryption.serial), strict=True
        ):
            answer = responder.answer(single_request(serial, own.certificate)).der
            (tmp_path / "answer").write_bytes(answer)
            said = openssl(
                "ocsp", "-respin", tmp_path / "answer", "-sha256", "-issuer", issuer, "-cert",
                path, "-verify_other", issuer, "-CAfile", ca, "-no_nonce",
            )  # fmt: skip
            verified = run("verify", "-CAfile", ca, "-crl_check", "-CRLfile", pem, path)
            word = said.partition(f"{path}: ")[2].split()[0]
            found.append((word, "certificateHold" in said, verified.returncode == 0))
        return found

    assert told() == [("good", False, True)] * 2
    moved.centre.portal.services.life.freeze(moved.owner, moved.number, "休假")
    assert told() == [("revoked", True, False)] * 2
    moved.centre.portal.services.life.unfreeze(moved.owner, moved.number, "归来")
    assert told() == [("good", False, True)] * 2


def test_a_re_issued_card_keeps_its_encryption_key(
    regions_centre: CentreWorld,
) -> None:
    """Both certificates are made anew, for the same keys, and move together from then on."""
    centre = regions_centre
    world, moved = centre.portal.authority, pair(centre)
    world.clock.advance(timedelta(minutes=1))
    revocation = Revocation(world.database, world.journal, world.outbox, world.clock)
    jobs = Reissue(world.database, world.journal, world.clock, revocation)
    regional = world.authorities["regional-ningbo"]
    done = jobs.run(jobs.plan("issuing", regional.name, "admin"), regional.authority)
    assert (done.refused, done.left) == (0, 0)
    newest = centre.portal.services.directory.newest_certificate(
        moved.holder.signing.public_key.fingerprint
    )
    above = regional.own.certificate
    assert newest.is_signed_by(above)

    again = delivered(centre, replace(moved.holder, signing=newest))

    assert again.is_signed_by(above)
    assert again.spki == moved.encryption.spki
    before = delivered(centre, moved.holder)
    assert before == again, "the older certificate is the same card's"
    after = Pair(centre, moved.owner, replace(moved.holder, signing=newest), again)
    freeze(moved)
    assert (moved.states(), after.states()) == ([HELD] * 2, [HELD] * 2)
    centre.portal.services.life.unfreeze(moved.owner, moved.number, "归来")
    asked = replace(moved.holder, signing=newest).asks_for(
        TRANSPORT.public_key, recovers=again.serial
    )
    recovery = centre.centre.recoveries.request(again.serial, asked, "旧合同")
    assert recovery.requested_by == f"operator:{moved.holder.card.holder.id}"
    revoke(moved)
    ended = [("revoked", "privilegeWithdrawn")] * 2
    assert (moved.states(), after.states()) == (ended, ended)


def test_a_region_s_authority_certifies_the_encryption_keys_of_its_holders(
    regions_centre: CentreWorld,
) -> None:
    centre = regions_centre
    world = centre.portal.authority
    regional = world.authorities["regional-ningbo"]
    issuing = RegionalIssuing(world.issuing, [(regional.authority, ["3302"])])
    certifier = IssuingCertifier(issuing, centre.inventory, world.clock)
    holder = centre.operator()
    card = PortalCards(centre.portal.services.directory, centre.inventory, world.clock).live(
        holder.signing
    )
    assert card is not None
    key = SoftwareKey.generate().public_key
    certificate = certifier.certify(card, key)
    assert certificate.is_signed_by(regional.own.certificate)
    assert certifier.certify(card, key) == certificate
    record = centre.inventory.by_serial(certificate.serial)
    assert record is not None
    assert (record.authority, record.companion_of) == (regional.name, holder.signing.serial)
    lose(Pair(centre, centre.portal.legal_person_of(holder.card), holder, certificate))
    record = centre.inventory.by_serial(certificate.serial)
    assert record is not None
    assert record.reason is RevocationReason.KEY_COMPROMISE
