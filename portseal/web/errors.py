"""The page that says no: one for every refusal, in the reader's language."""

from flask import render_template
from flask_babel import gettext

from kernel.refusals import Refusal


def refusal_page(refusal: Refusal) -> tuple[str, int]:
    """Body and status of the page for a refusal."""
    return error_page(refusal.status, refusal.code, refusal.detail)


def error_page(
    status: int, code: str, detail: str, request_id: str | None = None
) -> tuple[str, int]:
    """Body and status; `detail` is translated where the catalogue knows it."""
    page = render_template(
        "error.html",
        status=status,
        code=code,
        detail=gettext(detail) if "%" not in detail else detail,
        title=_title(status),
        request_id=request_id,
    )
    return page, status


def _title(status: int) -> str:
    titles = {
        400: gettext("This request could not be understood"),
        401: gettext("Please sign in"),
        403: gettext("You may not do this"),
        404: gettext("There is nothing here"),
        405: gettext("This cannot be done here"),
        409: gettext("This does not fit the present state"),
        413: gettext("This is too large"),
        422: gettext("Something needs correction"),
        429: gettext("Too many requests"),
        503: gettext("Please try again later"),
    }
    fallback = gettext("Something went wrong")
    return titles.get(status, fallback)
