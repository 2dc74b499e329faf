"""`portseal platform`: the register of platforms, from the authority's console.

An administrator's card proposes; another officer confirms in the portal and is shown the client
secret. Only disabling needs nobody else.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import click

from portseal.cli.acting import Acting, officer_options
from portseal.cli.output import json_option, show
from portseal.wiring import House
from ra_portal.console.act import Act
from signing_service.sso.claims import PERMITTABLE, SCOPES
from signing_service.sso.platform import AUTH_METHODS, NONE, REMOTE_SCOPES
from signing_service.sso.platform_form import draft_of, fields_of
from signing_service.sso.proposals import Proposal


def _actor(house: House, acting: Acting, what: str, on: str, **told: str) -> str:
    facts = {name.replace("_", "-"): value for name, value in told.items()}
    return acting.authorise(house, Act(what, "platform.manage", on, facts, proposes=True)).actor


@click.group("platform")
def platform() -> None:
    """Platforms that sign people in here (relying parties)."""


@platform.command("add")
@click.argument("name")
@click.option("--redirect-uri", "redirect_uris", multiple=True)
@click.option("--client-id", help="Default: random.")
@click.option("--post-logout-redirect-uri", "post_logout_redirect_uris", multiple=True)
@click.option("--backchannel-logout-uri", help="Where the platform is told of ended sessions.")
@click.option("--frontchannel-logout-uri", help="The same, through the browser.")
@click.option("--cas-service", "cas_services", multiple=True, help="Service address (CAS 3.0).")
@click.option("--auth-method", type=click.Choice(AUTH_METHODS), help="How it proves who it is.")
@click.option(
    "--jwks",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with its public keys, for private_key_jwt.",
)
@click.option("--tls-subject", help="RFC 4514 subject, for tls_client_auth.")
@click.option("--tls-thumbprint", help="SHA-256, for self_signed_tls_client_auth.")
@click.option(
    "--claim",
    "claims",
    multiple=True,
    type=click.Choice(PERMITTABLE),
    help="What it may learn. Default: what its scopes ask for and need not be permitted by name.",
)
@click.option("--permitted-by", required=True, help="The department that permitted the claims.")
@click.option("--evidence", required=True, help="Its decision: number and date.")
@click.option("--refresh", is_flag=True, help="Gets refresh tokens.")
@click.option("--pushed-only", is_flag=True, help="Must push its requests (RFC 9126).")
@click.option("--dpop-bound", is_flag=True, help="Its tokens are for its own key (RFC 9449).")
@click.option(
    "--endpoint-audience",
    is_flag=True,
    help="Its assertions may name an endpoint: an older program, which uses no other provider.",
)
@click.option("--public", is_flag=True, help="Without a secret; PKCE alone protects it.")
@click.option("--remote-signing", is_flag=True, help="May ask to use enterprises' seals (CSC API).")
@officer_options
@json_option
def add_platform(
    jwks: Path | None,
    public: bool,
    remote_signing: bool,
    acting: Acting,
    as_json: bool,
    **given: Any,
) -> None:
    """Propose a platform. An officer confirms it in the portal, and is shown its secret."""
    fields = {
        name: list(value) if isinstance(value, tuple) else value for name, value in given.items()
    }
    fields["scopes"] = [*SCOPES, *REMOTE_SCOPES] if remote_signing else list(SCOPES)
    fields["claims"] = fields["claims"] or None
    fields["jwks"] = None if jwks is None else json.loads(jwks.read_text())
    if public:
        fields["auth_method"] = NONE
    draft, name = draft_of(fields), str(given["name"])
    whole = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    with House.opened() as house:
        actor = _actor(
            house, acting, "platform.add", name, fields_sha256=whole,
            permitted_by=str(given["permitted_by"]), evidence=str(given["evidence"]),
        )  # fmt: skip
        proposal = house.sso.proposals.register(draft, by=actor)
    _show(proposal, as_json)


@platform.command("list")
@json_option
def list_platforms(as_json: bool) -> None:
    """Every platform, and what waits for a second officer."""
    with House.opened() as house:
        listed = house.sso.platforms.all()
        waiting = house.sso.proposals.waiting()
        lost = house.sso.platforms.lost_addresses()
    told = {
        "platforms": [{**fields_of(each.platform), "disabled": each.disabled} for each in listed],
        "waiting": [
            {"proposal": each.id, "action": str(each.action), "client_id": each.client_id}
            for each in waiting
        ],
        "lost_cas_services": [vars(each) for each in lost],
    }
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for each in listed:
        state = "disabled" if each.disabled else each.platform.auth_method
        click.echo(f"{each.platform.client_id}  {each.platform.name}  ({state})")
    for proposal in waiting:
        click.echo(f"waiting: {proposal.action} {proposal.client_id}, by {proposal.proposed_by}")
    for address in lost:
        click.echo(f"lost: {address}")


@platform.command("rotate")
@click.argument("client_id")
@officer_options
@json_option
def rotate_platform(client_id: str, acting: Acting, as_json: bool) -> None:
    """Propose a new client secret; it is made when an officer confirms it in the portal."""
    with House.opened() as house:
        actor = _actor(house, acting, "platform.rotate", client_id)
        proposal = house.sso.proposals.rotate_secret(client_id, by=actor)
    _show(proposal, as_json)


@platform.command("disable")
@click.argument("client_id")
@officer_options
def disable_platform(client_id: str, acting: Acting) -> None:
    """Forget a platform, at once: it can sign nobody in any more."""
    with House.opened() as house:
        actor = _actor(house, acting, "platform.disable", client_id)
        house.sso.platforms.disable(client_id, actor=actor)
    click.echo(f"platform {client_id} is disabled")


def _show(proposal: Proposal, as_json: bool) -> None:
    show({"proposal": proposal.id, "client_id": proposal.client_id}, as_json)
