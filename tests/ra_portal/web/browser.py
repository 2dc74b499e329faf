"""What a browser without JavaScript does: it opens pages and sends the forms that stand there."""

import io
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode, urljoin

from flask.testing import FlaskClient
from lxml import html
from werkzeug.test import TestResponse

from ra_portal.papers.documents import Upload

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
_DRAFT = re.compile(r'name="draft_version" value="([^"]+)"')


class Browser:
    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.headers = {"Accept": "text/html", "Accept-Language": "en"}

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers=self.headers)

    def text(self, path: str) -> str:
        response = self.get(path)
        assert response.status_code == 200, (response.status_code, response.text)
        return response.text

    def send(
        self,
        page: str,
        values: dict[str, object],
        action: str | None = None,
        upload: Upload | None = None,
    ) -> TestResponse:
        """Open `page`, take its token (and its draft's version), and send `values` to `action`
        (default: the page), whatever forms stand there; the page that the answer stands on. What a
        person presses: `press`."""
        shown = self.text(page)
        token, draft = _TOKEN.search(shown), _DRAFT.search(shown)
        assert token is not None
        version = {"draft_version": draft[1]} if draft else {}
        data: dict[str, object] = {**version, **values, "csrf_token": token[1]}
        if upload is not None:
            data["licence"] = (io.BytesIO(upload.content), upload.file_name)
        answer = self.client.post(action or page, data=data, headers=self.headers)
        return self.get(answer.location) if answer.status_code == 303 else answer

    def press(
        self, page: TestResponse, button: str, values: Mapping[str, str] | None = None
    ) -> TestResponse:
        """Fill `values` into the form on `page` that has such fields and a button saying `button`,
        and press it; where that leads. All else goes as it stands there, to where the form says."""
        filled = dict(values or {})
        form, pressed = _pressed(page.text, button, filled.keys())
        for name, value in filled.items():
            form.fields[name] = value
        sent = [(name, str(value)) for name, value in form.form_values()]
        if pressed.get("name"):
            sent.append((pressed.attrib["name"], pressed.get("value", "")))
        there = pressed.get("formaction") or form.get("action") or ""
        address = urljoin(page.request.full_path, there)
        if form.method == "GET":
            return self.get(f"{address.partition('?')[0]}?{urlencode(sent)}")
        data: dict[str, list[str]] = {}
        for name, value in sent:
            data.setdefault(name, []).append(value)
        answer = self.client.post(address, data=data, headers=self.headers)
        return self.get(answer.location) if answer.status_code in (302, 303) else answer


def _pressed(
    text: str, button: str, names: Collection[str]
) -> tuple[html.FormElement, html.HtmlElement]:
    """The one form with these fields and this button; and the button."""
    page: Any = html.fromstring(text)
    found = [
        (form, each)
        for form in page.forms
        for each in form.iter("button")
        if " ".join(each.text_content().split()) == button and set(names) <= set(form.fields)
    ]
    assert len(found) == 1, (button, len(found))
    return found[0]


def between(pattern: str, text: str) -> str:
    """What the pattern's group matches; there must be such a place."""
    found = re.search(pattern, text)
    assert found is not None, pattern
    return found[1]
