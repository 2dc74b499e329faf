"""The page that a form led to has an address of its own: loading it anew sends nothing again.

For every page of the portal that answers a form: what is shown once only (an access code, slips
with activation codes) is there for some minutes, in that browser and for that person.
"""

import base64
from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, Response, redirect, request, session, url_for

from kernel.refusals import Refusal
from ra_portal.answers import Answers, Ticket, over
from ra_portal.services import PortalServices
from ra_portal.web.person import Person

_TICKETS = "answers"
_MOST = 4
"""Of one browser: an older one is shown no more."""
_DONE = {HTTPStatus.OK, HTTPStatus.CREATED}


def _always(response: Response) -> bool:
    return True


def keep_pages(
    blueprint: Blueprint,
    answers: Answers,
    person: Person,
    may_keep: Callable[[Response], bool] = _always,
) -> None:
    """Of every form of the blueprint; `may_keep` judges each answer: another one comes directly,
    and once."""

    @blueprint.after_request
    def keep(response: Response) -> Response:
        if request.method != "POST" or response.status_code not in _DONE:
            return response
        if response.mimetype != "text/html" or response.is_streamed or not may_keep(response):
            return response
        try:
            by = person.identify()
            ticket = answers.keep("" if by is None else by.actor, response.get_data())
        except Refusal:
            return response  # what was done is done, and is told at least once
        key = base64.b64encode(ticket.key).decode("ascii")
        session[_TICKETS] = [*session.get(_TICKETS, []), [ticket.id, key]][-_MOST:]
        return redirect(url_for("portal.answer", identifier=ticket.id), HTTPStatus.SEE_OTHER)  # type: ignore[return-value]


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    answers = services.answers
    keep_pages(blueprint, answers, person)

    @blueprint.get("/answers/<identifier>")
    def answer(identifier: str) -> bytes:
        keys = {held[0]: held[1] for held in session.get(_TICKETS, [])}
        if identifier not in keys:
            raise over()
        if answers.actor_of(identifier) == "":
            return answers.show(_ticket(identifier, keys), "")
        by = person.signed_in()
        return answers.show(_ticket(identifier, keys), by.actor)


def forget_answers() -> None:
    """Somebody leaves this computer."""
    session.pop(_TICKETS, None)


def _ticket(identifier: str, keys: dict[str, str]) -> Ticket:
    return Ticket(identifier, base64.b64decode(keys[identifier]))
