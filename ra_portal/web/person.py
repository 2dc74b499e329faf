"""Who sits at the browser: signed in with a card, or an applicant with an access code."""

import hmac
from collections.abc import Callable
from urllib.parse import quote

from flask import Response, redirect, request, session
from werkzeug.exceptions import HTTPException

from kernel.refusals import Unauthenticated
from ra_portal.applications.application import Application
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


def remember_application(application: Application) -> None:
    """The browser has shown the access code of this application."""
    session[_APPLICATION] = [application.id, _mark(application)]


def remembered_application(standing: Callable[[str], Application]) -> Application | None:
    """Unless it has another access code by now."""
    found = session.get(_APPLICATION)
    if not isinstance(found, list):
        return None
    application = standing(found[0])
    return application if hmac.compare_digest(_mark(application), found[1]) else None


def forget_application() -> None:
    session.pop(_APPLICATION, None)


def _mark(application: Application) -> str:
    """Of its access code: a hash says nothing of 140 random bits."""
    return application.access_hash[:16]
