"""Who sits at the browser: signed in with a card, or an applicant with an access code."""

from collections.abc import Callable
from urllib.parse import quote

from flask import Response, redirect, request, session
from werkzeug.exceptions import HTTPException

from kernel.refusals import Unauthenticated
from ra_portal.people.identity import Identity

_APPLICATION = "application"


class Person:
    def __init__(self, identify: Callable[[], Identity | None]) -> None:
        self.identify = identify

    def signed_in(self) -> Identity:
        """The identity; who has none is sent to sign in and comes back afterwards."""
        found = self.identify()
        if found is None:
            here = request.full_path.rstrip("?") if request.method == "GET" else "/"
            answer = redirect(f"/sso/sign-in?next={quote(here, safe='/')}")
            raise _Elsewhere(answer)  # type: ignore[arg-type]
        return found

    def required(self) -> Identity:
        """For programs. Raises Unauthenticated `signin.required`."""
        found = self.identify()
        if found is None:
            raise Unauthenticated("signin.required", "sign in with your card first")
        return found


class _Elsewhere(HTTPException):
    code = 302

    def __init__(self, response: Response) -> None:
        super().__init__(response=response)


def remember_application(application_id: str) -> None:
    """The browser has shown the access code of this application."""
    session[_APPLICATION] = application_id


def remembered_application() -> str | None:
    found = session.get(_APPLICATION)
    return found if isinstance(found, str) else None


def forget_application() -> None:
    session.pop(_APPLICATION, None)
