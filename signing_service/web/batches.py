"""Routes of signing jobs: open, progress, claim, refuse, what was signed."""

from collections.abc import Callable
from typing import Annotated

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from kernel.refusals import Malformed, Unauthenticated
from signing_service.batch import MAX_CLAIM, MAX_ITEMS, Batches, BatchItem, ItemState, Progress
from signing_service.validation.evidence import SignatureFormat, SignatureLevel
from signing_service.web.body import read_body

_MAX_OPEN_BYTES = MAX_ITEMS * 700
_Name = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f/\\]+$")
]
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _ItemBody(_Body):
    name: _Name
    sha256: _Sha256


class _OpenBody(_Body):
    format: str
    level: str = "B-T"
    items: list[_ItemBody] = Field(min_length=1, max_length=MAX_ITEMS)


class _ClaimBody(_Body):
    limit: int = Field(ge=1, le=MAX_CLAIM)
    release: bool = False


class _RefusalBody(_Body):
    position: int = Field(ge=0, lt=MAX_ITEMS)
    code: str = Field(pattern=r"^[a-z0-9.-]{1,100}$")


def batches_blueprint(batches: Batches, signed_in_card: Callable[[], str | None]) -> Blueprint:
    """`signed_in_card` gives the card of the present sign-in session."""
    blueprint = Blueprint("batches", __name__)

    def card() -> str:
        found = signed_in_card()
        if found is None:
            raise Unauthenticated("signin.required", "sign in with the card that shall sign")
        return found

    @blueprint.post("/api/v1/batches")
    def open_batch() -> Response:
        holder_card = card()
        body = read_body(_OpenBody, _MAX_OPEN_BYTES)
        try:
            format_, level = SignatureFormat(body.format), SignatureLevel(body.level)
        except ValueError:
            raise Malformed("request.malformed", "no such format or level") from None
        items = [(item.name, item.sha256) for item in body.items]
        return jsonify(_plain(batches.open(holder_card, format_, level, items)))

    @blueprint.get("/api/v1/batches/<identifier>")
    def progress(identifier: str) -> Response:
        return jsonify(_plain(batches.progress(identifier, card())))

    @blueprint.post("/api/v1/batches/<identifier>/claims")
    def claim(identifier: str) -> Response:
        holder_card = card()
        body = read_body(_ClaimBody, 1024)
        items = batches.claim(identifier, holder_card, body.limit, release=body.release)
        return jsonify(
            items=[
                {"position": item.position, "name": item.name, "sha256": item.document_sha256}
                for item in items
            ]
        )

    @blueprint.post("/api/v1/batches/<identifier>/refusals")
    def refuse(identifier: str) -> Response:
        holder_card = card()
        body = read_body(_RefusalBody, 1024)
        batches.refuse(BatchItem(identifier, body.position), holder_card, body.code)
        return jsonify(_plain(batches.progress(identifier, holder_card)))

    @blueprint.get("/api/v1/batches/<identifier>/signed")
    def signed(identifier: str) -> Response:
        return outcomes(identifier, ItemState.SIGNED)

    @blueprint.get("/api/v1/batches/<identifier>/refused")
    def refused(identifier: str) -> Response:
        return outcomes(identifier, ItemState.REFUSED)

    def outcomes(identifier: str, state: ItemState) -> Response:
        after = request.args.get("after", default=-1, type=int)
        after = max(-1, min(after, MAX_ITEMS))  # a database's integers have an end
        items = batches.outcomes(identifier, card(), state, after)
        return jsonify(
            items=[
                {"position": item.position, "name": item.name, "outcome": item.outcome}
                for item in items
            ]
        )

    return blueprint


def _plain(progress: Progress) -> dict[str, object]:
    return {
        "id": progress.id,
        "format": str(progress.format),
        "level": str(progress.level),
        "total": progress.total,
        "signed": progress.signed,
        "refused": progress.refused,
        "claimed": progress.claimed,
        "waiting": progress.waiting,
    }
