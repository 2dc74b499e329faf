"""Routes of verification: the page for everybody, and the same for programs."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from flask import (
    Blueprint,
    Response,
    after_this_request,
    current_app,
    jsonify,
    make_response,
    render_template,
    request,
)
from flask_babel import format_datetime, get_locale, gettext
from itsdangerous import BadData, URLSafeTimedSerializer

from kernel.refusals import (
    Malformed,
    NotFound,
    Refusal,
    TooMany,
    Unprocessable,
)
from signing_service.archive.accepted import AcceptedSignature
from signing_service.archive.page import ArchivePage
from signing_service.reports.etsi_xml import XmlReport
from signing_service.reports.names import right_name, source_name, step_name
from signing_service.reports.pdf import Language, pdf_report
from signing_service.reports.pdf_words import PDF_WORDS
from signing_service.validation.article13 import Text
from signing_service.validation.report import ValidationReport, read_report
from signing_service.verification import MAX_PRESENTED_BYTES, Verification
from signing_service.web.rate_limit import RateLimit
from signing_service.web.streams import Streams
from signing_service.web.uploads import Uploads

_HERE = Path(__file__).parent
_CHINA = timezone(timedelta(hours=8))
_JSON, _PDF, _XML = "application/json", "application/pdf", "application/xml"
_MAX_REPORT_BYTES = 4 * 1024 * 1024
_REPORT_LASTS_SECONDS = 3600


def verification_blueprint(
    verification: Verification,
    *,
    kept: ArchivePage | None = None,
    xml_report: XmlReport | None = None,
    rate_limit: RateLimit | None = None,
    max_streamed_bytes: int = 0,
    streams: Streams | None = None,
) -> Blueprint:
    """`GET /verify`, `POST /verify` (pages), `POST /verify/report.pdf` (a page's report again),
    `GET /verify/signatures/ID` (a kept signature's verdict, with `kept`),
    `POST /api/v1/verifications` (JSON; PDF and, with `xml_report`, signed ETSI XML by `Accept`).

    Files come as multipart parts `document` and, for a detached signature, `signature`; nothing
    is kept. `max_streamed_bytes`: of a document beside its signature, over the API. The page's
    form changes no state; only the API needs to be exempt from CSRF tokens.
    """
    limit = rate_limit or RateLimit()
    uploads = Uploads(verification, max_streamed_bytes, streams)
    blueprint = Blueprint(
        "verification",
        __name__,
        template_folder=str(_HERE / "templates"),
        static_folder=str(_HERE / "static"),
        static_url_path="/verify/static",
    )
    blueprint.add_app_template_filter(_in_words, "in_words")
    for name in (step_name, source_name, right_name):
        blueprint.add_app_template_filter(name, name.__name__)
    blueprint.add_app_template_filter(_moment, "moment")
    blueprint.add_app_template_filter(_day, "day")
    blueprint.add_app_template_filter(_kind, "timestamp_kind")

    @blueprint.get("/verify")
    def form() -> str:
        return render_template(
            "signing_service/verify.html", refusal=None, limit_mib=MAX_PRESENTED_BYTES >> 20
        )

    @blueprint.post("/verify")
    def page() -> Response:
        try:
            _count(limit)
            report = uploads.verify_small()
        except Refusal as refusal:
            body = render_template(
                "signing_service/verify.html",
                refusal=refusal,
                why=refusal.said(gettext, format_datetime),
                limit_mib=MAX_PRESENTED_BYTES >> 20,
            )
            return make_response(body, refusal.status)
        return make_response(_page(report))

    @blueprint.get("/verify/signatures/<identifier>")
    def archived(identifier: str) -> Response:
        _count(limit)
        if kept is None:
            raise NotFound("signature.not-found", "no signatures are kept here")
        found = kept.verdict(identifier)
        return make_response(_page(found.report, found.accepted))

    @blueprint.post("/verify/report.pdf")
    def pdf() -> Response:
        _count(limit)
        request.max_content_length = request.max_form_memory_size = _MAX_REPORT_BYTES
        language: Language = "en" if request.form.get("language") == "en" else "zh"
        return _pdf(_unsealed(request.form.get("report", "")), language)

    @blueprint.post("/api/v1/verifications")
    def api() -> Response:
        _count(limit)
        wanted = request.accept_mimetypes.best_match((_JSON, _PDF, _XML), default=_JSON)
        if wanted == _XML and xml_report is None:
            raise Unprocessable("report.no-signing-key", "no key signs XML reports here")
        report = uploads.verify()
        if wanted == _PDF:
            return _pdf(report, "zh" if _is_chinese() else "en")
        if wanted == _XML and xml_report is not None:
            return Response(xml_report(report), mimetype=_XML)
        return jsonify(report.to_json())

    return blueprint


def _page(report: ValidationReport, archived: AcceptedSignature | None = None) -> str:
    sealed = _serializer().dumps(json.dumps(report.to_json()))
    return render_template(
        "signing_service/report.html", report=report, sealed=sealed, archived=archived
    )


def _count(limit: RateLimit) -> None:
    """Raises TooMany, and says when to come again."""
    try:
        limit.check(request.remote_addr)
    except TooMany as refusal:
        seconds = str(refusal.facts["retry_after"])

        @after_this_request
        def tell(response: Response) -> Response:
            response.headers["Retry-After"] = seconds
            return response

        raise


def _serializer() -> URLSafeTimedSerializer:
    """Seals a report into its page, so that the PDF of it is ours and needs no second upload."""
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="validation-report")


def _unsealed(sealed: str) -> ValidationReport:
    try:
        text = _serializer().loads(sealed, max_age=_REPORT_LASTS_SECONDS)
    except BadData:
        raise Malformed(
            "report.not-ours", "this report is not from here, or too old; verify the document again"
        ) from None
    return read_report(str(text))


def _pdf(report: ValidationReport, language: Language) -> Response:
    response = Response(pdf_report(report, language), mimetype=_PDF)
    response.headers["Content-Disposition"] = 'attachment; filename="verification-report.pdf"'
    return response


def _in_words(text: Text) -> str:
    """A sentence in the reader's language."""
    return text.zh if _is_chinese() else text.en


def _is_chinese() -> bool:
    return str(get_locale() or "").startswith("zh")


def _kind(kind: str) -> str:
    return _in_words(PDF_WORDS[kind])


def _day(at: datetime) -> str:
    return f"{at.astimezone(_CHINA):%Y-%m-%d}"


def _moment(at: datetime) -> str:
    """A time as people in China read it, with UTC beside it."""
    utc = at.astimezone(UTC)
    return f"{utc.astimezone(_CHINA):%Y-%m-%d %H:%M:%S} UTC+8 ({utc:%Y-%m-%dT%H:%M:%SZ})"
