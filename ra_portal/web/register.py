"""Pages of the register: its enterprises, and one of them with its people."""

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response

from ra_portal.keyset import Place, read_place, write_place
from ra_portal.people.register import Asked
from ra_portal.people.register_rows import EnterpriseState
from ra_portal.services import PortalServices
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]

_KEPT = ("state", "branch", "q")


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    @blueprint.get("/officer/enterprises")
    def enterprises() -> Page:
        by = person.signed_in()
        known = services.branches.all()
        asked = _asked({each.code: each.id for each in known})
        page = services.register.page(by, asked)
        kept = {name: request.args[name] for name in _KEPT if request.args.get(name)}

        def turn(name: str, place: Place | None) -> str:
            if place is None:
                return ""
            return url_for("portal.enterprises", **{**kept, name: write_place(place)})  # type: ignore[arg-type]

        return render_template(
            "ra_portal/enterprises.html",
            page=page,
            text=asked.text,
            state=request.args.get("state", ""),
            branch=request.args.get("branch", ""),
            branches=[] if by.branch else known,
            branch_names={each.id: each.name for each in known},
            narrowed=bool(kept),
            earlier=turn("before", page.earlier),
            later=turn("after", page.later),
        )

    @blueprint.get("/officer/enterprises/<identifier>")
    def enterprise_file(identifier: str) -> Page:
        after = request.args.get("after", "")[:32]
        found = services.register.show(person.signed_in(), identifier, after)
        return render_template("ra_portal/enterprise_file.html", file=found, after=after)


def _asked(branches: dict[str, str]) -> Asked:
    state, branch = request.args.get("state", ""), request.args.get("branch", "")
    after, before = request.args.get("after", ""), request.args.get("before", "")
    return Asked(
        (EnterpriseState(state),) if state in set(EnterpriseState) else tuple(EnterpriseState),
        branches.get(branch),
        request.args.get("q", "")[:80],
        after=read_place(after or before) if after or before else None,
        backwards=bool(before),
    )
