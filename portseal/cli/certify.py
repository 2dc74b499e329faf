"""`portseal certify`: certificates for the house's own servers and for platforms' programs."""

import hashlib
from pathlib import Path

import click

from ca.issuing.issuance import CertificateRequest
from ca.issuing.request import MAX_REQUEST_BYTES, Pkcs10, read_pkcs10
from ca.issuing.subject import SubjectFields
from kernel.refusals import Refusal
from portseal.cli.acting import Acting, officer_options
from portseal.cli.output import json_option, show
from portseal.wiring import House
from ra_portal.console.act import Act
from records.events import Event

_ORGANIZATION = "2.5.4.10"


@click.command("certify")
@click.argument("profile", type=click.Choice(["tls-server", "tls-client"]))
@click.argument("request", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", "common_name", required=True, help="The server's first DNS name.")
@click.option("--dns", "dns_names", multiple=True, help="A further DNS name of the server.")
@click.option("--organization", help="Default: the authority's own.")
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@officer_options
@json_option
def certify(
    profile: str,
    request: Path,
    common_name: str,
    dns_names: tuple[str, ...],
    organization: str | None,
    output: Path,
    acting: Acting,
    as_json: bool,
) -> None:
    """Certify the key of a PKCS#10 REQUEST, and write the certificate with its issuer.

    Names come from the options: what the request says of its subject is not looked at, and a
    request that asks for extensions is refused.
    """
    reference = f"{profile}:{common_name}"
    with request.open("rb") as file:
        octets = file.read(MAX_REQUEST_BYTES + 1)
    told = {"request-sha256": hashlib.sha256(octets).hexdigest()}
    told |= {"dns": " ".join(dns_names)} if dns_names else {}
    told |= {"organization": organization} if organization else {}
    with House.opened() as house:
        act = Act("certificate.issue", "certificate.issue", reference, told)
        actor = acting.authorise(house, act).actor
        asked = _read(house, octets, profile, reference, actor)
        authority = house.authorities.issuing
        own = authority.certificate
        wanted = CertificateRequest(
            asked.public_key,
            SubjectFields(
                organization=organization or (own.attribute(_ORGANIZATION) if own else None),
                common_name=common_name,
            ),
            requester=actor,
            reference=reference,
            dns_names=(common_name, *dns_names) if profile == "tls-server" else dns_names,
        )
        issued = authority.issue(authority.prepare(profile, wanted))
    output.write_text(issued.certificate.pem + issued.chain[0].pem, "ascii")
    show(
        {
            "serial": f"{issued.serial:X}",
            "subject": issued.certificate.subject_text(),
            "valid_until": issued.certificate.not_after.isoformat(),
            "written": str(output),
        },
        as_json,
    )


def _read(house: House, octets: bytes, profile: str, reference: str, actor: str) -> Pkcs10:
    """The journal has a request that is refused, as it has what `Authority.prepare` refuses."""
    try:
        return read_pkcs10(octets)
    except Refusal as refusal:
        with house.database.transaction() as connection:
            house.journal.append(
                connection,
                Event.CERTIFICATE_REFUSED,
                subject=reference,
                actor=actor,
                profile=profile,
                code=refusal.code,
            )
        raise
