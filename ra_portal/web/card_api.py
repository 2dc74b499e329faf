"""Cards, for programs: their making, their state and the moves of their life."""

import base64
import binascii
from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import jsonify

from kernel.refusals import Malformed
from ra_portal.cards.card import Card
from ra_portal.cards.card_certificates import CardCertificate
from ra_portal.cards.card_moves import RecordedMove
from ra_portal.cards.charge import is_own
from ra_portal.cards.enrolment import EnrolledCard
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.services import PortalServices
from ra_portal.web.json_bodies import Answer, Route, read_body, read_text
from ra_portal.web.officer_changes import shown_change
from ra_portal.web.person import Person


def add_routes(route: Route, services: PortalServices, person: Person) -> None:
    _add_life_routes(route, services, person)
    _add_renewal_routes(route, services, person)

    @route("POST", "/enrolments")
    def enrol() -> Answer:
        body = read_body()
        code = read_text(body, "activation_code")
        return _enrolled(services.enrolment.enrol(code, _pkcs10(body)))

    @route("GET", "/card-certificates/<key>")
    def newest_certificate(key: str) -> Answer:
        """For anybody: who names a key's digest has seen the key."""
        return jsonify(certificate=services.directory.newest_certificate(key).pem)

    @route("GET", "/cards/<number>")
    def card(number: str) -> Answer:
        by = person.required()
        shown = shown_card(services.cards.show(by, number))
        held = services.cards.certificates(by, number)
        return jsonify(**shown, certificates=[_certificate(each) for each in held])

    @route("POST", "/cards/<number>/revocation")
    def revoke(number: str) -> Answer:
        by = person.required()
        reason = read_text(read_body(), "reason")
        return jsonify(shown_card(services.cards.revoke(by, number, reason)))

    @route("POST", "/cards/<number>/end-proposal")
    def propose_end(number: str) -> Answer:
        by, body = person.required(), read_body()
        reason, why = read_text(body, "reason"), read_text(body, "why")
        change = services.officer_changes.propose_card_end(by, number, reason, why)
        return jsonify(shown_change(change)), 201

    @route("POST", "/cards/<number>/activation-code")
    def card_code(number: str) -> Answer:
        by = person.required()
        read_body()
        return offered_code(services.cards.new_activation_code(by, number))

    @route("POST", "/cards/<number>/activation-code/confirmation")
    def confirm_code(number: str) -> Answer:
        by = person.required()
        read_body()
        return offered_code(services.cards.confirm_code(by, number))

    @route("POST", "/cards/<number>/witness")
    def witness(number: str) -> Answer:
        by = person.required()
        body = read_body()
        model, serial = read_text(body, "token_model"), read_text(body, "token_serial")
        return jsonify(shown_card(services.cards.witness(by, number, model, serial)))

    @route("POST", "/cards/<number>/replacement")
    def replace(number: str) -> Answer:
        by = person.required()
        read_body()
        return offered_code(services.cards.replace(by, number))


def _add_life_routes(route: Route, services: PortalServices, person: Person) -> None:
    @route("GET", "/cards/<number>/moves")
    def moves(number: str) -> Answer:
        found = services.life.history(person.required(), number)
        return jsonify(moves=[_move(each) for each in found])

    @route("GET", "/cards/<number>/contact")
    def contact(number: str) -> Answer:
        shown = services.contacts.show(person.required(), number)
        refused_at = shown.mail_refused_at and shown.mail_refused_at.isoformat()
        return jsonify({**asdict(shown), "mail_refused_at": refused_at})

    @route("PUT", "/cards/<number>/contact")
    def change_contact(number: str) -> Answer:
        by = person.required()
        return jsonify(asdict(services.contacts.change(by, number, read_body())))

    @route("POST", "/cards/<number>/freeze")
    def freeze(number: str) -> Answer:
        by = person.required()
        reason = read_text(read_body(), "reason")
        return jsonify(shown_card(services.life.freeze(by, number, reason)))

    @route("POST", "/cards/<number>/unfreeze")
    def unfreeze(number: str) -> Answer:
        by = person.required()
        reason = read_text(read_body(), "reason")
        return jsonify(shown_card(services.life.unfreeze(by, number, reason)))

    @route("POST", "/cards/<number>/loss-report")
    def report_loss(number: str) -> Answer:
        by = person.required()
        read_body()
        channel = loss_channel(by, services.cards.show(by, number))
        return jsonify(shown_card(services.life.report_loss(by, number, channel)))


def _add_renewal_routes(route: Route, services: PortalServices, person: Person) -> None:
    renewal = services.renewal

    @route("POST", "/cards/<number>/renewals")
    def begin_renewal(number: str) -> Answer:
        by = person.required()
        begun = renewal.begin(by, number, _pkcs10(read_body()))
        ends = begun.expires_at.isoformat()
        return jsonify(id=begun.id, challenge=begun.challenge, expires_at=ends), 201

    @route("POST", "/renewals/<identifier>")
    def finish_renewal(identifier: str) -> Answer:
        by = person.required()
        return _enrolled(renewal.finish(by, identifier, _octets(read_body(), "signature")))


def _pkcs10(body: dict[str, Any]) -> bytes:
    return _octets(body, "pkcs10")


def _octets(body: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(read_text(body, name), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("request.malformed", "{field} is base64", field=name) from None


def loss_channel(by: Identity, card: Card) -> str:
    """How a report of loss came that was made with a card."""
    at_counter = by.kind is HolderKind.OFFICER and not is_own(by, card)
    return "counter" if at_counter else f"{by.kind}-card"


# -- what goes out ---------------------------------------------------------------------------------


def shown_card(card: Card) -> dict[str, object]:
    return {
        "number": card.number,
        "holder_kind": card.holder.kind,
        "holder": card.holder.id,
        "state": card.state,
        "code_proposed": card.code_proposed_by is not None,
        "serial": card.serial,
        "fingerprint": card.fingerprint,
        "activated_at": _time(card.activated_at),
        "not_after": _time(card.not_after),
        "witnessed_at": _time(card.witnessed_at),
        "token_model": card.token_model,
        "token_serial": card.token_serial,
        "frozen_at": _time(card.held_at),
        "frozen_by": card.held_by,
        "frozen_for": card.hold_reason,
        "predecessor": card.predecessor,
        "renew_by": _time(card.renew_by),
        "ended_at": _time(card.ended_at),
        "end_reason": card.end_reason,
    }


def _certificate(held: CardCertificate) -> dict[str, object]:
    return {
        **asdict(held),
        "not_before": _time(held.not_before),
        "not_after": _time(held.not_after),
    }


def offered_code(offered: tuple[Card, str | None]) -> Answer:
    """The code, or 202: it was proposed and waits for another officer."""
    card, code = offered
    if code is None:
        return jsonify(card=shown_card(card)), 202
    expires_at = card.activation_expires_at
    assert expires_at is not None
    return jsonify(
        card=shown_card(card), activation_code=code, expires_at=expires_at.isoformat()
    ), 201


def _enrolled(enrolled: EnrolledCard) -> Answer:
    return jsonify(
        certificate=enrolled.certificate.pem,
        chain=[certificate.pem for certificate in enrolled.chain],
        card=shown_card(enrolled.card),
    ), 201


def _move(move: RecordedMove) -> dict[str, object]:
    evidence, stamp = move.evidence, move.stamp
    return {
        "move": move.move,
        "at": move.at.isoformat(),
        "actor": move.actor,
        "reason": move.why,
        "evidence_kind": evidence.kind if evidence else None,
        "evidence": _base64(evidence.content) if evidence else None,
        "timestamp": _base64(stamp) if stamp else None,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
