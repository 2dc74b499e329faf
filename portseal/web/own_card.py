"""The way to one's own card: the name in the head of every page leads there."""

from collections.abc import Callable

from flask import Flask, redirect, url_for
from werkzeug.wrappers import Response


def install_own_card(app: Flask, signed_in_card: Callable[[], str | None]) -> None:
    """`signed_in_card` gives the number of the card of the present session."""

    def own_card() -> Response:
        number = signed_in_card()
        if number is None:
            return redirect("/sso/sign-in?next=/card")
        return redirect(url_for("portal.card", number=number))

    app.add_url_rule("/card", "own_card", own_card)
