"""Routes of the CAS protocol 3.0. Proxy authentication is off, and says so."""

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Response, jsonify, make_response, render_template, request
from werkzeug.datastructures import MultiDict

from kernel.refusals import Malformed
from signing_service.sso.browser import (
    CAS_LOGIN_PATH,
    Cookies,
    current_session,
    set_current_session,
)
from signing_service.sso.cas import messages
from signing_service.sso.cas.tickets import Ticket
from signing_service.sso.claims import PREFIX, context_of, holder_claims
from signing_service.sso.freshness import ASKED, Freshness
from signing_service.sso.openid.logout import Logout
from signing_service.sso.openid.redirects import found, see_other, with_parameters
from signing_service.sso.openid.web import require_once, signed_out_page
from signing_service.sso.platform import Platform
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import Arrival, SignedIn

_MAX_SERVICE_CHARACTERS = 2_000


class Rejected(Exception):
    """A validation that fails, with the standard's code (2.5.3)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


class CasRoutes:
    """Parse, call, render."""

    def __init__(self, services: SsoServices, cookies: Cookies) -> None:
        self._services = services
        self._cookies = cookies
        self._freshness = Freshness(services.clock)
        self._logout = Logout(services)

    # -- the browser -----------------------------------------------------------------------------

    def login(self) -> Response:
        """2.1: a ticket for a registered service; the sign-in page in between where needed."""
        asked = request.args
        require_once(asked, request.query_string.decode("latin-1"))
        signed_in = current_session()
        if "service" not in asked:
            home = self._services.settings.home_path
            return see_other(home if signed_in else "/sso/sign-in")
        service = asked["service"]
        platform = self._platform_of(service)
        renew = _is_set(asked, "renew")
        terms = _terms(asked, renew=renew)
        fresh = signed_in is not None and self._freshness.answers(terms, signed_in)
        if signed_in is not None and (fresh or not renew):
            return found(self._ticket_address(platform, service, signed_in, fresh=fresh))
        if _is_set(asked, "gateway") and not renew:
            return found(service)
        back = f"{CAS_LOGIN_PATH}?{urlencode(self._remembered(terms))}"
        return see_other("/sso/sign-in?" + urlencode({"next": back}))

    def logout(self) -> Response:
        """2.3: ends the session where a registered service asks; else the holder is asked."""
        asked = request.args
        require_once(asked, request.query_string.decode("latin-1"))
        signed_in = current_session()
        target = asked.get("service")
        if target is not None:
            self._platform_of(target)
        if signed_in is None:
            return see_other(target) if target else signed_out_page([], None)
        if target is None:
            return make_response(render_template("sso/sign_out.html", holder=signed_in.holder))
        frames = self._logout.frames(signed_in.session)
        actor = signed_in.holder.subject
        self._services.sessions.end(signed_in.session, reason="cas-logout", actor=actor)
        set_current_session(None)
        response = signed_out_page(frames, target) if frames else see_other(target)
        self._cookies.forget_session(response)
        return response

    def _platform_of(self, service: str) -> Platform:
        """Raises Malformed `cas.service`: a ticket goes to an exact, registered address alone."""
        platform = None
        if len(service) <= _MAX_SERVICE_CHARACTERS:
            platform = self._services.platforms.by_cas_service(service)
        if platform is None:
            raise Malformed("cas.service", "no platform registered this service address")
        return platform

    def _remembered(self, terms: Mapping[str, str]) -> dict[str, str]:
        from_before = {name: value for name, value in terms.items() if name in _KEPT}
        return {**from_before, ASKED: self._freshness.note(terms)}

    def _ticket_address(
        self, platform: Platform, service: str, signed_in: SignedIn, *, fresh: bool
    ) -> str:
        tickets = self._services.cas_tickets
        is_new = fresh and not tickets.gave_before(signed_in.session, signed_in.auth_time)
        ticket = tickets.give(platform, service, signed_in, from_new_login=is_new)
        return with_parameters(service, [("ticket", ticket)])

    # -- the services ----------------------------------------------------------------------------

    def validate(self) -> Response:
        """2.4, CAS 1.0: yes or no, in plain text."""
        try:
            _, _, signed_in = self._validated()
        except Rejected:
            text = "no\n\n"
        else:
            text = f"yes\n{signed_in.holder.subject}\n"
        response = make_response(text)
        response.mimetype = "text/plain"
        return response

    def service_validate(self) -> Response:
        """2.5, CAS 2.0: who it is."""
        return self._answer(with_attributes=False)

    def p3_service_validate(self) -> Response:
        """2.8, CAS 3.0: who it is, with what the platform may know."""
        return self._answer(with_attributes=True)

    def proxy_validate(self) -> Response:
        """2.6: as serviceValidate; there are no proxy tickets that could be good."""
        return self._answer(with_attributes=False)

    def p3_proxy_validate(self) -> Response:
        return self._answer(with_attributes=True)

    def proxy(self) -> Response:
        """2.7, refused."""
        body = messages.proxy_failure_xml("UNAUTHORIZED_SERVICE", "Proxy authentication is off.")
        return _xml(body)

    def _answer(self, *, with_attributes: bool) -> Response:
        as_json = request.args.get("format", "XML").upper() == "JSON"
        try:
            ticket, platform, signed_in = self._validated()
        except Rejected as why:
            if as_json:
                return jsonify(messages.failure_json(why.code, why.detail))
            return _xml(messages.failure_xml(why.code, why.detail))
        user = signed_in.holder.subject
        attributes = self._attributes(ticket, platform, signed_in) if with_attributes else None
        if as_json:
            return jsonify(messages.success_json(user, attributes))
        return _xml(messages.success_xml(user, attributes))

    def _validated(self) -> tuple[Ticket, Platform, SignedIn]:
        """The ticket, spent, its platform and its holder. Raises Rejected."""
        asked = request.args
        service, ticket = asked.get("service"), asked.get("ticket")
        if not service or not ticket or any(len(asked.getlist(name)) > 1 for name in asked):
            raise Rejected("INVALID_REQUEST", "service and ticket are needed, each once.")
        if ticket.startswith("PT-"):
            raise Rejected("INVALID_TICKET_SPEC", "Proxy authentication is off.")
        spent = self._services.cas_tickets.take(ticket)
        if spent is None:
            raise Rejected("INVALID_TICKET", "The ticket is not good, or was used before.")
        if "pgtUrl" in asked:
            raise Rejected("UNAUTHORIZED_SERVICE_PROXY", "Proxy authentication is off.")
        if spent.service != service:
            raise Rejected("INVALID_SERVICE", "The ticket was given for another service.")
        if _is_set(asked, "renew") and not spent.from_new_login:
            raise Rejected("INVALID_TICKET", "The ticket does not come from a new sign-in.")
        platform = self._services.platforms.find(spent.client_id)
        if platform is None or service not in platform.terms.cas_services:
            raise Rejected("INVALID_SERVICE", "The service is registered no more.")
        signed_in = self._services.sessions.by_name(spent.sid)
        if signed_in is None:
            raise Rejected("INVALID_TICKET", "The session is over.")
        self._services.cas_tickets.remember(ticket, spent, Arrival.of(signed_in, platform.name))
        return spent, platform, signed_in

    def _attributes(
        self, ticket: Ticket, platform: Platform, signed_in: SignedIn
    ) -> messages.Attributes:
        told = holder_claims(
            signed_in.holder, " ".join(sorted(platform.scopes)), permitted=platform.claims
        )
        acr, amr = context_of(signed_in)
        attributes: dict[str, str | list[str]] = {
            "authenticationDate": signed_in.auth_time.isoformat(timespec="seconds"),
            "longTermAuthenticationRequestTokenUsed": "false",
            "isFromNewLogin": "true" if ticket.from_new_login else "false",
            "acr": acr,
            "amr": list(amr),
        }
        for name, value in told.items():
            if name != "sub":
                texts = [_text(each) for each in value] if isinstance(value, list) else _text(value)
                attributes[name.removeprefix(PREFIX)] = texts
        return attributes


_KEPT = frozenset({"service", "renew"})


def _terms(asked: MultiDict[str, str], *, renew: bool) -> dict[str, str]:
    """The request as `Freshness` sees it."""
    terms = {"service": asked["service"]}
    if renew:
        terms["renew"] = "true"
    if ASKED in asked:
        terms[ASKED] = asked[ASKED]
    return terms


def _text(value: object) -> str:
    """An attribute is text: what is more than that is told as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_set(asked: MultiDict[str, str], name: str) -> bool:
    """A flag counts when it is there, unless it says false (2.1.1)."""
    return name in asked and asked[name].lower() != "false"


def _xml(body: bytes) -> Response:
    response = make_response(body)
    response.mimetype = "application/xml"
    return response
