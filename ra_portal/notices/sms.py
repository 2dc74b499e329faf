"""Text messages: a provider's gateway over HTTP, or a spool of files for trying things out.

PortSeal brings no provider. The request below is ours; a provider with another one needs a small
bridge, or a class here.

    POST <url>                                        2xx: taken
    Authorization: Bearer <token>                     408, 425, 429, 5xx: not now
    Content-Type: application/json                    any other: refused for good
    {"id": "...", "to": "+86...", "text": "..."}
"""

import os
from pathlib import Path

from kernel.refusals import Unavailable
from ra_portal.notices.channels import Letter
from records.outbox import Deferred, Undeliverable

_NOT_THIS_NOW = {408, 425, 429}


class HttpSmsGateway:
    """`id` is the same when a message is sent again: the gateway must not deliver it twice."""

    def __init__(
        self, url: str, token_file: Path, ca_file: Path | None = None, timeout_seconds: float = 10.0
    ) -> None:
        self._url = url
        self._token_file = token_file
        self._verify: str | bool = True if ca_file is None else str(ca_file)
        self._timeout = timeout_seconds

    def send(self, letter: Letter) -> None:
        """Raises Unavailable `sms.unavailable`, `sms.login`; Deferred; Undeliverable."""
        import requests  # slow to load, and nothing else of the service needs it

        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.post(
                    self._url,
                    json={"id": letter.id, "to": letter.to, "text": letter.text},
                    headers={"Authorization": f"Bearer {self._token_file.read_text().strip()}"},
                    timeout=self._timeout,
                    verify=self._verify,
                    allow_redirects=False,
                    stream=True,  # what it says is not read
                )
                status = answer.status_code
        except (requests.RequestException, OSError) as error:
            raise Unavailable(
                "sms.unavailable", "the SMS gateway does not answer", error=type(error).__name__
            ) from None
        if 200 <= status < 300:
            return
        if status in (401, 403):
            raise Unavailable("sms.login", "the SMS gateway refuses us", reply=status)
        if status >= 500:
            raise Unavailable("sms.unavailable", "the SMS gateway is out of order", reply=status)
        if status in _NOT_THIS_NOW:
            raise Deferred(f"the SMS gateway puts the message off: {status}")
        raise Undeliverable(f"the SMS gateway refuses the message: {status}")


class SpoolGateway:
    """Writes each message to a file of a directory that only the service reads. For trying
    things out on one machine: nobody is called."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def send(self, letter: Letter) -> None:
        """Raises Unavailable `sms.spool`."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._directory / f"{letter.id}.txt"
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(f"To: {letter.to}\n\n{letter.text}\n")
        except OSError as error:
            raise Unavailable(
                "sms.spool", "the spool of text messages cannot be written", error=error.strerror
            ) from None
