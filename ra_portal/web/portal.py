"""Routes of the registration portal: they parse, call one use case, render."""

from collections.abc import Callable

from flask import Blueprint
from flask.blueprints import BlueprintSetupState

from ra_portal.people.identity import Identity
from ra_portal.services import PortalServices
from ra_portal.web import (
    access_again,
    administration,
    answers,
    api,
    applying,
    branches,
    card_batches,
    card_endings,
    card_moves,
    cards,
    console_acts,
    dashboard,
    data_changes,
    dead_letters,
    enterprise,
    history,
    imports,
    limits,
    mass,
    officer,
    officer_changes,
    public,
    recovery,
    register,
    seals,
    without_card,
    words,
)
from ra_portal.web.person import Person


def portal_blueprint(
    services: PortalServices,
    identify: Callable[[], Identity | None],
    address_limits: limits.AddressLimits = limits.AddressLimits(),  # noqa: B008 - frozen
    health: dashboard.Health = dict,
) -> Blueprint:
    """Pages and JSON interface; `identify` tells who is signed in with the present request,
    `address_limits` how often an address may ask without a session, `health` how the machines are.

    Set Flask-WTF's `CSRFProtect` up before registering this: the JSON interface is exempted from
    its form token (it insists on a media type, or a header, that no foreign page can send), and
    registering raises RuntimeError without it.
    """
    blueprint = Blueprint(
        "portal", __name__, template_folder="templates", static_folder="static",
        static_url_path="/portal-files",
    )  # fmt: skip
    limits.limit_requests(blueprint)
    person = Person(identify)
    answers.add_routes(blueprint, services, person)
    public.add_routes(blueprint, services, person, address_limits)
    access_again.add_pages(blueprint, services, address_limits)
    applying.add_routes(blueprint, services, address_limits)
    officer.add_routes(blueprint, services, person)
    register.add_routes(blueprint, services, person)
    enterprise.add_routes(blueprint, services, person)
    history.add_routes(blueprint, services, person)
    imports.add_routes(blueprint, services, person)
    branches.add_routes(blueprint, services, person)
    seals.add_routes(blueprint, services, person)
    cards.add_routes(blueprint, services, person)
    card_batches.add_routes(blueprint, services, person)
    dead_letters.add_routes(blueprint, services, person)
    data_changes.add_pages(blueprint, services, person)
    dashboard.add_routes(blueprint, services, person, health)
    mass.add_pages(blueprint, services, person)
    recovery.add_pages(blueprint, services, person, address_limits.asking)
    without_card.add_pages(blueprint, services, address_limits)
    card_endings.add_routes(blueprint, services, person)
    card_moves.add_routes(blueprint, services, person)
    console_acts.add_pages(blueprint, services, person)
    administration.add_routes(blueprint, services, person)
    officer_changes.add_pages(blueprint, services, person)
    for_programs = api.add_routes(blueprint, services, person, address_limits)

    def install(state: BlueprintSetupState) -> None:
        protection = state.app.extensions.get("csrf")
        if protection is None:
            raise RuntimeError("set up CSRFProtect before the portal's routes")
        for view in for_programs:
            protection.exempt(view)

    blueprint.record_once(install)
    blueprint.app_context_processor(words.for_templates)
    return blueprint
