"""The dashboard, the profiles and the policies, as people read them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint, render_template
from flask_babel import get_locale
from werkzeug.wrappers import Response

from policies.card_life import card_life_policy
from policies.catalogue import load_catalogue
from policies.profile_words import Words, describe
from ra_portal.services import PortalServices
from ra_portal.web.charts import bar_chart
from ra_portal.web.person import Person

Page = str | Response


@dataclass(frozen=True)
class Machine:
    words: str
    """How it is, in the reader's language."""
    in_order: bool


Health = Callable[[], Mapping[str, Machine]]
"""By the part of the house."""


def add_routes(
    blueprint: Blueprint, services: PortalServices, person: Person, health: Health
) -> None:
    @blueprint.get("/admin/dashboard")
    def dashboard() -> Page:
        return render_template(
            "ra_portal/dashboard.html",
            told=services.figures.latest(person.signed_in()),
            health=health(),
            bar_chart=bar_chart,
        )

    @blueprint.get("/admin/policies")
    def policies() -> Page:
        person.signed_in().require("dashboard.read")
        return render_template(
            "ra_portal/policies.html",
            profiles=sorted(load_catalogue(), key=lambda each: each.name),
            describe=describe,
            say=_say,
            life=card_life_policy(),
            rules=services.policy,
        )


def _say(words: Words) -> str:
    return words.zh if str(get_locale()).startswith("zh") else words.en
