"""The page that says no: one for every refusal, in the reader's language."""

from flask import render_template


def error_page(
    status: int, code: str, detail: str, request_id: str | None = None
) -> tuple[str, int]:
    """Body and status; `detail` is in the reader's language."""
    page = render_template(
        "error.html", status=status, code=code, detail=detail, request_id=request_id
    )
    return page, status
