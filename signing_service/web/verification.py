"""Routes of verification: the page for everybody, and the same for programs."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from flask import Blueprint, Response, jsonify, make_response, render_template, request
from flask_babel import get_locale
from werkzeug.datastructures import FileStorage

from kernel.refusals import Malformed, Refusal, TooLarge
from signing_service.validation.article13 import Text
from signing_service.validation.report import ValidationReport
from signing_service.verification import MAX_PRESENTED_BYTES, Verification

_HERE = Path(__file__).parent
_PARTS = frozenset({"document", "signature"})
_FORM_OVERHEAD_BYTES = 64 * 1024
_CHINA = timezone(timedelta(hours=8))


def verification_blueprint(verification: Verification) -> Blueprint:
    """`GET /verify`, `POST /verify` (pages), `POST /api/v1/verifications` (JSON).

    Files come as multipart parts `document` and, for a detached signature, `signature`. Nothing
    is kept. The page's form changes no state; only the API needs to be exempt from CSRF tokens.
    """
    blueprint = Blueprint(
        "verification",
        __name__,
        template_folder=str(_HERE / "templates"),
        static_folder=str(_HERE / "static"),
        static_url_path="/verify/static",
    )
    blueprint.add_app_template_filter(_in_words, "in_words")
    blueprint.add_app_template_filter(_moment, "moment")
    blueprint.add_app_template_filter(_day, "day")

    @blueprint.get("/verify")
    def form() -> str:
        return render_template(
            "signing_service/verify.html", refusal=None, limit_mib=MAX_PRESENTED_BYTES >> 20
        )

    @blueprint.post("/verify")
    def page() -> Response:
        try:
            report = _verify_presented(verification)
        except Refusal as refusal:
            body = render_template(
                "signing_service/verify.html",
                refusal=refusal,
                limit_mib=MAX_PRESENTED_BYTES >> 20,
            )
            return make_response(body, refusal.status)
        return make_response(render_template("signing_service/report.html", report=report))

    @blueprint.post("/api/v1/verifications")
    def api() -> Response:
        return jsonify(_verify_presented(verification).to_json())

    return blueprint


def _verify_presented(verification: Verification) -> ValidationReport:
    request.max_content_length = 2 * MAX_PRESENTED_BYTES + _FORM_OVERHEAD_BYTES
    request.max_form_parts = 8
    if request.mimetype != "multipart/form-data":
        raise Malformed(
            "request.malformed", "send the files as multipart/form-data: document, signature"
        )
    unknown = set(request.files) - _PARTS
    if unknown:
        raise Malformed("request.malformed", "the file parts are document and signature")
    return verification.verify(_presented("document"), _presented("signature")).complete()


def _presented(part: str) -> bytes | None:
    files: list[FileStorage] = request.files.getlist(part)
    if not files:
        return None
    if len(files) > 1:
        raise Malformed("request.malformed", f"there may be one part {part}")
    data: bytes = files[0].stream.read(MAX_PRESENTED_BYTES + 1)
    if len(data) > MAX_PRESENTED_BYTES:
        limit = MAX_PRESENTED_BYTES >> 20
        raise TooLarge("document.too-large", f"at most {limit} MiB are verified at once")
    return data or None


def _in_words(text: Text) -> str:
    """A sentence in the reader's language."""
    return text.zh if str(get_locale() or "").startswith("zh") else text.en


def _day(at: datetime) -> str:
    return f"{at.astimezone(_CHINA):%Y-%m-%d}"


def _moment(at: datetime) -> str:
    """A time as people in China read it, with UTC beside it."""
    utc = at.astimezone(UTC)
    return f"{utc.astimezone(_CHINA):%Y-%m-%d %H:%M:%S} UTC+8 ({utc:%Y-%m-%dT%H:%M:%SZ})"
