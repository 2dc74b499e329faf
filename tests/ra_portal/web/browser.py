"""What a browser without JavaScript does: it opens pages and sends the forms that stand there."""

import io
import re

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ra_portal.papers.documents import Upload

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


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
        """Open `page`, take the form's token, and send it to `action` (default: the page); the page
        that the answer stands on."""
        token = _TOKEN.search(self.text(page))
        assert token is not None
        data: dict[str, object] = {**values, "csrf_token": token[1]}
        if upload is not None:
            data["licence"] = (io.BytesIO(upload.content), upload.file_name)
        answer = self.client.post(action or page, data=data, headers=self.headers)
        return self.get(answer.location) if answer.status_code == 303 else answer


def between(pattern: str, text: str) -> str:
    """What the pattern's group matches; there must be such a place."""
    found = re.search(pattern, text)
    assert found is not None, pattern
    return found[1]
