"""Pages for the centre's officers: they parse, call one use case, render."""

import io
import zipfile
from collections.abc import Callable
from urllib.parse import quote

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from kernel.identifiers import parse_serial, serial_text
from kernel.refusals import Malformed, Refusal
from key_centre.delivery import Delivery
from key_centre.oversight import READ
from key_centre.ports import Caller
from key_centre.recoveries import APPROVE, MAX_EVIDENCE_BYTES, OPEN
from key_centre.recovery import DELIVERY_PERIOD, Ground, RecoveryState
from key_centre.recovery_rows import Wanted
from key_centre.services import KeyCentre
from key_centre.web import words
from key_centre.web.api import order_pdf

Page = str | BaseResponse | tuple[str, int]
_HOME = "/key-centre"
_LONGEST_TEXT = 80
_MAX_KEY_BYTES = 4096
_ORDER_FIELDS = ("serial", "number", "issued_by", "reason")


def key_centre_pages(centre: KeyCentre, identify: Callable[[], Caller | None]) -> Blueprint:
    """`identify`: the officer signed in with this request. Set `CSRFProtect` up for the app."""
    blueprint = Blueprint("key_centre_pages", __name__, template_folder="templates")
    pages = _Pages(centre, identify)
    for rule, view, methods in (
        (_HOME, pages.recoveries, ["GET"]),
        (f"{_HOME}/orders/new", pages.new_order, ["GET", "POST"]),
        (f"{_HOME}/recoveries/<identifier>", pages.recovery, ["GET"]),
        (f"{_HOME}/recoveries/<identifier>/order.pdf", pages.evidence, ["GET"]),
        (f"{_HOME}/recoveries/<identifier>/decision", pages.decide, ["POST"]),
        (f"{_HOME}/recoveries/<identifier>/delivery", pages.fetch, ["POST"]),
    ):
        blueprint.add_url_rule(rule, view.__name__, view, methods=methods)
    return blueprint


class _Pages:
    def __init__(self, centre: KeyCentre, identify: Callable[[], Caller | None]) -> None:
        self._recoveries = centre.recoveries
        self._oversight = centre.oversight
        self._identify = identify

    def recoveries(self) -> Page:
        by = self._officer()
        state = request.args.get("state", str(RecoveryState.REQUESTED))
        ground = request.args.get("ground", "")
        text = request.args.get("q", "").strip()[:_LONGEST_TEXT]
        if state not in {"", *RecoveryState} or ground not in {"", *Ground}:
            raise Malformed("request.malformed", "no such state or ground")
        wanted = Wanted(
            RecoveryState(state) if state else None, Ground(ground) if ground else None, text
        )
        return render_template(
            "key_centre/recoveries.html",
            page=self._oversight.listed(by, wanted, request.args.get("after")),
            figures=self._oversight.figures(by),
            asked={"state": state, "ground": ground, "q": text},
            may_open=by.may(OPEN),
            recovery_states=words.STATES,
            grounds=words.GROUNDS,
            key_kinds=words.KEY_KINDS,
        )

    def recovery(self, identifier: str) -> Page:
        return self._shown(self._officer(), identifier)

    def evidence(self, identifier: str) -> Response:
        return order_pdf(self._oversight.evidence(self._officer(), identifier))

    def decide(self, identifier: str) -> Page:
        by, reason = self._officer(), request.form.get("reason", "")
        decision = request.form.get("decision", "")
        try:
            if decision == "approve":
                told = request.form.get("transport_key_sha256", "").strip().lower()
                self._recoveries.approve(by, identifier, reason, told or None)
                flash(gettext("Approved."), "good")
            elif decision == "refuse":
                self._recoveries.refuse(by, identifier, reason)
                flash(gettext("Refused."), "good")
            else:
                raise Malformed("decision.unknown", "choose one of the decisions")
        except Refusal as refusal:
            if refusal.status not in (403, 409, 422):
                raise
            return self._shown(by, identifier, refusal)
        return redirect(url_for("key_centre_pages.recovery", identifier=identifier), 303)

    def fetch(self, identifier: str) -> Page:
        by = self._officer()
        try:
            made = self._recoveries.fetch_for_order(by, identifier)
        except Refusal as refusal:
            if refusal.status not in (403, 409):
                raise
            return self._shown(by, identifier, refusal)
        response = Response(_archive(made), content_type="application/zip")
        name = f"key-{serial_text(made.certificate.serial)}.zip"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def new_order(self) -> Page:
        by = self._officer()
        by.require(OPEN)
        values = {name: request.form.get(name, "") for name in _ORDER_FIELDS}
        values["serial"] = values["serial"] or request.args.get("serial", "")[:_LONGEST_TEXT]
        refusal = None
        if request.method == "POST":
            try:
                made = self._recoveries.open_order(
                    by,
                    parse_serial(values["serial"].strip()),
                    values["number"],
                    values["issued_by"],
                    _uploaded("evidence", MAX_EVIDENCE_BYTES),
                    _uploaded("transport_key", _MAX_KEY_BYTES),
                    values["reason"],
                )
            except Refusal as refused:
                if refused.status >= 500:
                    raise
                refusal = refused
            else:
                flash(gettext("Recorded. Another officer of the centre must approve it."), "good")
                return redirect(url_for("key_centre_pages.recovery", identifier=made.id), 303)
        page = render_template("key_centre/order.html", values=values, refusal=refusal)
        return page, refusal.status if refusal else 200

    def _shown(self, by: Caller, identifier: str, refusal: Refusal | None = None) -> Page:
        dossier = self._oversight.dossier(by, identifier)
        recovery = dossier.recovery
        page = render_template(
            "key_centre/recovery.html",
            dossier=dossier,
            recovery=recovery,
            ends_at=recovery.decided_at and recovery.decided_at + DELIVERY_PERIOD,
            is_order=recovery.ground is Ground.ORDER,
            is_waiting=recovery.state is RecoveryState.REQUESTED,
            is_own=recovery.requested_by == by.actor,
            may_decide=by.may(APPROVE),
            may_fetch=by.may(OPEN) and recovery.state is RecoveryState.APPROVED,
            reason=request.form.get("reason", ""),
            refusal=refusal,
            recovery_states=words.STATES,
            grounds=words.GROUNDS,
            steps=words.STEPS,
            kinds=words.CARD_KINDS,
            serial_text=serial_text,
        )
        return page, refusal.status if refusal else 200

    def _officer(self) -> Caller:
        """Who acts; who is not signed in is sent to sign in. Raises Forbidden `role.missing`."""
        by = self._identify()
        if by is None:
            here = request.full_path.rstrip("?") if request.method == "GET" else _HOME
            abort(redirect(f"/sso/sign-in?next={quote(here, safe='/')}"))
        by.require(READ)
        return by


def _uploaded(name: str, limit: int) -> bytes:
    """One octet more than the limit at most, which the use case refuses."""
    file = request.files.get(name)
    return b"" if file is None else file.stream.read(limit + 1)


def _archive(made: Delivery) -> bytes:
    """The sealed key and its certificate as `portseal key-centre receive` takes them."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("envelope.p7m", made.envelope.encode())
        archive.writestr("certificate.pem", made.certificate.pem)
    return held.getvalue()
