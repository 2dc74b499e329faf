"""Recovering an escrowed key: for its holder with an officer, or by order with two.

Every step is journalled in its own transaction, before anything is handed out.
"""

import hashlib
import unicodedata

from sqlalchemy import Connection

from kernel.algorithms import PublicKey
from kernel.asn1.certificate import Certificate
from kernel.asn1.key_envelope import require_transport_key
from kernel.clock import Clock
from kernel.identifiers import Serial, serial_text
from kernel.refusals import Forbidden, NotFound, TooLarge, Unprocessable
from key_centre import escrow, recovery_rows
from key_centre.delivery import Deliveries, Delivery
from key_centre.escrow import EscrowedKey
from key_centre.ports import Caller, Cards, Certifier
from key_centre.recovery import Ground, Order, Recovery, RecoveryState
from key_centre.requests import CardRequest, verified
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

OPEN, APPROVE = "key.recovery.open", "key.recovery.approve"
MAX_EVIDENCE_BYTES = 4 << 20
_PDF = b"%PDF-"


class Recoveries:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        deliveries: Deliveries,
        cards: Cards,
        certifier: Certifier,
        origin: str,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._deliveries = deliveries
        self._cards = cards
        self._certifier = certifier
        self._origin = origin

    # -- asking --------------------------------------------------------------------------------

    def request(self, serial: Serial, request: CardRequest, reason: str) -> Recovery:
        """The holder asks, with a live signing card, for the key of an older encryption
        certificate (`serial`).

        Raises as `key_centre.requests.verified`; NotFound `escrow.unknown`; Forbidden
        `key-recovery.other-holder`; Unprocessable `key-recovery.text`.
        """
        vouched = verified(request, self._cards, self._origin, recovers=serial)
        key = self._key_of(serial)
        if key.holder != vouched.card.holder:
            raise Forbidden("key-recovery.other-holder", "the key is another holder's")
        return self._open(
            Ground.HOLDER, key, vouched.card.holder, reason, request.transport_key,
            vouched.card.certificate.der, None, None,
        )  # fmt: skip

    def open_order(
        self,
        by: Caller,
        serial: Serial,
        number: str,
        issued_by: str,
        evidence: bytes,
        transport_key: bytes,
        reason: str,
    ) -> Recovery:
        """An officer of the centre records a judicial order; another one must approve it.

        `evidence`: the order as a PDF; `transport_key`: of whom the order names.
        Raises Forbidden `role.missing`; NotFound `escrow.unknown`; TooLarge
        `key-recovery.evidence`; Unprocessable `key-recovery.evidence`, `key-recovery.text`,
        `transport-key.unsuitable`; Malformed `public-key.malformed`.
        """
        by.require(OPEN)
        require_transport_key(PublicKey.from_spki(transport_key))
        if len(evidence) > MAX_EVIDENCE_BYTES:
            raise TooLarge(
                "key-recovery.evidence", "at most {mib} MiB", mib=MAX_EVIDENCE_BYTES >> 20
            )
        if not evidence.startswith(_PDF):
            raise Unprocessable("key-recovery.evidence", "the order itself, as a PDF")
        digest = hashlib.sha256(evidence).hexdigest()
        order = Order(_text(number, 80), _text(issued_by, 120), digest)
        key = self._key_of(serial)
        return self._open(Ground.ORDER, key, by.actor, reason, transport_key, None, order, evidence)

    def _key_of(self, serial: Serial) -> EscrowedKey:
        """By its encryption certificate, a re-issued one too. Raises NotFound `escrow.unknown`."""
        fingerprint = self._certifier.key_of(serial)
        with self._database.reading() as connection:
            key = escrow.of_key(connection, fingerprint or "")
        if key.certificate is None:
            raise NotFound("escrow.unknown", "no key is escrowed for this certificate")
        return key

    def _open(
        self,
        ground: Ground,
        key: EscrowedKey,
        requested_by: str,
        reason: str,
        transport_key: bytes,
        signing_certificate: bytes | None,
        order: Order | None,
        evidence: bytes | None,
    ) -> Recovery:
        made = Recovery(
            new_id(), ground, RecoveryState.REQUESTED, key.id, requested_by, self._clock.now(),
            _text(reason, 400), transport_key, signing_certificate, order,
        )  # fmt: skip
        facts = {} if order is None else {
            "order": order.number, "ordered_by": order.issued_by, "sha256": order.evidence_sha256,
        }  # fmt: skip
        with self._database.transaction() as connection:
            recovery_rows.add(connection, made, evidence)
            self._tell(connection, Event.KEY_RECOVERY_REQUESTED, made, key, requested_by, **facts)
        return made

    # -- deciding ------------------------------------------------------------------------------

    def approve(
        self, by: Caller, identifier: str, reason: str, transport_key_sha256: str | None = None
    ) -> Recovery:
        """`transport_key_sha256`: for an order, whose key the approver means it for.

        Raises Forbidden `role.missing`, `key-recovery.same-officer`; NotFound; Conflict;
        Unprocessable `key-recovery.transport-key`, `key-recovery.text`.
        """
        by.require(APPROVE)
        with self._database.transaction() as connection:
            found = recovery_rows.find(connection, identifier)
            decided = found.approve(
                by.actor, self._clock.now(), _text(reason, 400), transport_key_sha256
            )
            return self._decided(connection, Event.KEY_RECOVERY_APPROVED, decided, by)

    def refuse(self, by: Caller, identifier: str, reason: str) -> Recovery:
        """Raises as `approve`, but for the transport key."""
        by.require(APPROVE)
        with self._database.transaction() as connection:
            found = recovery_rows.find(connection, identifier)
            decided = found.refuse(by.actor, self._clock.now(), _text(reason, 400))
            return self._decided(connection, Event.KEY_RECOVERY_REFUSED, decided, by)

    def _decided(
        self, connection: Connection, event: Event, decided: Recovery, by: Caller
    ) -> Recovery:
        recovery_rows.save(connection, decided)
        key = escrow.by_id(connection, decided.key_id)
        self._tell(connection, event, decided, key, by.actor)
        return recovery_rows.find(connection, decided.id)

    # -- fetching --------------------------------------------------------------------------------

    def state(self, identifier: str) -> Recovery:
        """For the holder, who was given the unguessable identifier. Raises NotFound."""
        with self._database.reading() as connection:
            return recovery_rows.find(connection, identifier)

    def fetch_for_holder(self, identifier: str) -> Delivery:
        """What an approved request of a holder gives. The identifier is the key to it, and what
        comes opens on the card that asked alone.

        Raises NotFound; Forbidden `key-recovery.ground` (an order), `key-delivery.card` when the
        card that asked is not good any more; Conflict `key-recovery.state`, `key-recovery.over`.
        """
        with self._database.reading() as connection:
            found = recovery_rows.find(connection, identifier)
        if found.ground is not Ground.HOLDER or found.signing_certificate is None:
            raise Forbidden("key-recovery.ground", "an order's key is fetched by an officer")
        if self._cards.live(Certificate.parse(found.signing_certificate)) is None:
            raise Forbidden("key-delivery.card", "the card that asked is not good any more")
        return self._deliver(found, found.requested_by)

    def fetch_for_order(self, by: Caller, identifier: str) -> Delivery:
        """Raises Forbidden `role.missing`, `key-recovery.ground`; else as `fetch_for_holder`."""
        by.require(OPEN)
        with self._database.reading() as connection:
            found = recovery_rows.find(connection, identifier)
        if found.ground is not Ground.ORDER:
            raise Forbidden("key-recovery.ground", "a holder's key is fetched by the holder")
        return self._deliver(found, by.actor)

    def _deliver(self, found: Recovery, actor: str) -> Delivery:
        delivered = found.deliver(self._clock.now())
        with self._database.reading() as connection:
            key = escrow.by_id(connection, found.key_id)
        assert key.certificate is not None, "a recovery names a certificate"
        envelope = self._deliveries.sealed(key, PublicKey.from_spki(found.transport_key))
        with self._database.transaction() as connection:
            recovery_rows.save(connection, delivered)
            self._tell(connection, Event.KEY_RECOVERED, delivered, key, actor)
        return Delivery(key.certificate, envelope)

    def _tell(
        self,
        connection: Connection,
        event: Event,
        recovery: Recovery,
        key: EscrowedKey,
        actor: str,
        **facts: str,
    ) -> None:
        assert key.certificate is not None, "a recovery names a certificate"
        self._journal.append(
            connection,
            event,
            subject=serial_text(key.certificate.serial),
            actor=actor,
            recovery=recovery.id,
            ground=str(recovery.ground),
            holder=key.holder,
            transport_key=recovery.transport_key_sha256,
            **facts,
        )


def _text(value: str, limit: int) -> str:
    """One line that shows what it says. Raises Unprocessable `key-recovery.text`."""
    text = unicodedata.normalize("NFC", value.strip())
    if not 1 <= len(text) <= limit or any(unicodedata.category(c)[0] == "C" for c in text):
        raise Unprocessable(
            "key-recovery.text", "say it in 1 to {most} characters, on one line", most=limit
        )
    return text
