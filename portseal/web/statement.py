"""The practice statement, at the address that every certificate names (cPSuri)."""

import re
from functools import lru_cache

from flask import Blueprint, Response, abort, render_template
from markdown_it import MarkdownIt
from markupsafe import Markup

from policies.statement import LANGUAGES, statement
from portseal.settings import PolicySettings
from portseal.web.layout import language

_HEADING = re.compile(r"<h([2-5])>(\d+(?:\.\d+)*)")


def statement_blueprint(settings: PolicySettings) -> Blueprint:
    """`/cps` as a page, `/cps/zh.md` and `/cps/en.md` as text."""
    blueprint = Blueprint("statement", __name__)

    @blueprint.get("/cps")
    def page() -> str:
        return render_template(
            "statement.html",
            text=_html(language()),
            arc=settings.arc,
            contact=settings.contact,
        )

    @blueprint.get("/cps/<code>.md")
    def text(code: str) -> Response:
        if code not in LANGUAGES:
            abort(404)
        return Response(statement(code), content_type="text/markdown; charset=utf-8")

    return blueprint


@lru_cache(maxsize=len(LANGUAGES))
def _html(code: str) -> Markup:
    """The text with an anchor at every clause: `/cps#4.9.7`. It is ours, and holds no HTML."""
    made = MarkdownIt("commonmark", {"html": False}).enable("table").render(statement(code))
    # A table may be wider than a telephone; it is scrolled by keyboard, too.
    made = made.replace("<table>", '<div class="scroll" tabindex="0"><table>')
    made = made.replace("</table>", "</table></div>")
    return Markup(_HEADING.sub(r'<h\1 id="\2">\2', made))  # noqa: S704
