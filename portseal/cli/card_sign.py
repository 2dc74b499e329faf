"""`portseal card sign`: one signature with a USB key, in any format, packaging and act."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from kernel.algorithms import suite_named
from kernel.refusals import Unprocessable
from policies.signature_policy import known_signature_policies
from portseal.cli.options import LEVELS, card_options, pin_source, url_option
from portseal.cli.output import json_option, show
from portseal.holder.card import Card
from portseal.holder.local import sign_locally
from portseal.holder.service import Service
from signing_service.formats.claims import (
    COMMITMENTS_BY_NAME,
    NO_CLAIMS,
    Claims,
    PolicyReference,
)
from signing_service.formats.document import Document, StreamedDocument
from signing_service.formats.jades.whole import Serialisation
from signing_service.formats.making import FORMATS
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.pades.whole import INVISIBLE, Placement, Seal
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.validation.evidence import Packaging, SignatureFormat

_FORMATS = {str(each).lower(): each for each in FORMATS}
_CONTAINERS = (SignatureFormat.ASIC_S, SignatureFormat.ASIC_E)
_INNER = {str(each).lower(): each for each in (SignatureFormat.CADES, SignatureFormat.XADES)}
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option("--format", "format_", type=click.Choice(sorted(_FORMATS)), default="cades"),
    click.option("--level", type=click.Choice(list(LEVELS)), help="Default: B-T."),
    click.option(
        "--packaging", type=click.Choice(list(map(str, Packaging))),
        help="Default: detached CAdES, enveloped XAdES, JAdES around the document.",
    ),
    click.option(
        "--inner", type=click.Choice(list(_INNER)), default="cades",
        help="What an ASiC container holds.",
    ),
    click.option(
        "--serialisation", type=click.Choice(list(map(str, Serialisation))), default="flattened",
        help="Of JAdES.",
    ),
    click.option("--target", metavar="ID", help="Internally detached XAdES: what is signed."),
    click.option(
        "--parallel-later", is_flag=True, help="Enveloped XAdES: others may sign beside this one."
    ),
    click.option(
        "--act", type=click.Choice(list(map(str, Act))), default="first",
        help="parallel: beside the signatures that are there; counter: upon one of them.",
    ),
    click.option(
        "--signature", type=_FILE, help="Parallel, counter: the signature beside DOCUMENT, if any."
    ),
    click.option("--signer", type=click.IntRange(0), default=0, help="Counter: upon which one."),
    click.option(
        "--with", "others", type=_FILE, multiple=True, help="ASiC-E: one more document."
    ),
    click.option("--suite", metavar="NAME", help="Such as rsa-pss-sha256."),
    click.option(
        "--commitment", metavar="NAME", help=f"{', '.join(COMMITMENTS_BY_NAME)}, or an OID."
    ),
    click.option("--role", "roles", multiple=True, help="A role that the signer claims."),
    click.option("--policy", metavar="OID", help="Sign under this signature policy."),
    click.option("--reason", help="PDF: why it is signed."),
    click.option("--location", help="PDF: where it is signed."),
    click.option("--field", help="PDF: the signature field; default: a new one."),
    click.option(
        "--seal", metavar="LEFT,BOTTOM,RIGHT,TOP",
        help="PDF: a visible seal at this place, in points from the lower left corner.",
    ),
    click.option("--seal-page", type=int, default=0, help="From 0; -1 is the last."),
    click.option("--seal-line", "lines", multiple=True, help="A line of text on the seal."),
    click.option("--seal-picture", type=_FILE, help="PNG."),
    click.option("--qr/--no-qr", default=True, help="To the page with the verdict."),
)  # fmt: skip


def _options(command: Any) -> Any:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("sign")
@card_options
@url_option
@click.argument("document", type=_FILE)
@_options
@click.option(
    "--local/--no-local", default=False,
    help="Sign on this computer alone: the document is not sent, and the service keeps nothing.",
)  # fmt: skip
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@json_option
def sign(document: Path, local: bool, output: Path, as_json: bool, url: str, **given: Any) -> None:
    """Sign a declaration or a PDF, with a timestamp (B-T) or up to the archive level.

    The right to file it is checked by the service; what the card is asked to sign is held
    against DOCUMENT by this program. Without --signature a parallel or counter-signature goes
    into DOCUMENT itself. A document of more than 32 MiB is signed detached, or in an ASiC
    container; it is sent ahead and kept by the service like every other, unless --local.
    """
    holder = Card(given["module"], given["label"], pin_source(given["pin_env"], given["pin_fd"]))
    manner, level = _manner(given), given["level"]
    service = Service(url)
    if local:
        sign_locally(holder, document, manner, None if level == "B-B" else service, output)
        show({"written": str(output)}, as_json)
        return
    with ExitStack() as opened:
        subject = _subject(document, given, opened)
        if subject.large and manner.format not in _CONTAINERS:
            manner = _detached(manner)
        service.sign_in(holder)
        made = service.make(
            holder, subject, manner, None if level is None else LEVELS[level],
            qr_code=given["qr"] and given["seal"] is not None,
        )  # fmt: skip
    service.save(made, output)
    show({"id": made.id, "indication": made.indication, "written": str(output)}, as_json)


def _subject(document: Path, given: dict[str, Any], opened: ExitStack) -> Subject:
    signature: Path | None = given["signature"]
    if given["act"] == Act.FIRST:
        files = (document, *given["others"])
        return Subject({each.name: _document(each, opened) for each in files})
    if signature is None:
        return Subject({}, document.read_bytes())
    return Subject({document.name: _document(document, opened)}, signature.read_bytes())


def _detached(manner: Manner) -> Manner:
    """Refused here, before a GiB is sent. Raises Unprocessable `document.streamed`."""
    if manner.packaging not in (None, Packaging.DETACHED):
        raise Unprocessable("document.streamed", "a document this large is signed detached")
    return replace(manner, packaging=Packaging.DETACHED)


def _document(file: Path, opened: ExitStack) -> Document:
    """In memory where it fits."""
    if file.stat().st_size <= MAX_DOCUMENT_BYTES:
        return file.read_bytes()
    return StreamedDocument(opened.enter_context(file.open("rb")))


def _manner(given: dict[str, Any]) -> Manner:
    packaging, suite = given["packaging"], given["suite"]
    return Manner(
        _FORMATS[given["format_"]],
        Act(given["act"]),
        None if packaging is None else Packaging(packaging),
        _INNER[given["inner"]],
        Serialisation(given["serialisation"]),
        given["target"],
        given["parallel_later"],
        given["signer"],
        None if suite is None else suite_named(suite),
        _claims(given),
        _placement(given),
    )


def _claims(given: dict[str, Any]) -> Claims:
    commitment, policy = given["commitment"], given["policy"]
    reference = None
    if policy is not None:
        known = known_signature_policies().get(policy)
        if known is None:
            raise Unprocessable("claims.policy", "no such signature policy here", policy=policy)
        reference = PolicyReference.to(known)
    if commitment is None and not given["roles"] and reference is None:
        return NO_CLAIMS
    return Claims(COMMITMENTS_BY_NAME.get(commitment, commitment), given["roles"], reference)


def _placement(given: dict[str, Any]) -> Placement:
    seal = None
    if given["seal"] is not None:
        try:
            left, bottom, right, top = map(float, given["seal"].split(","))
        except ValueError:
            raise click.BadParameter("four numbers: LEFT,BOTTOM,RIGHT,TOP") from None
        picture: Path | None = given["seal_picture"]
        png = None if picture is None else picture.read_bytes()
        seal = Seal((left, bottom, right, top), given["seal_page"], given["lines"], png)
    named = {name: given[name] for name in ("field", "reason", "location")}
    if seal is None and not any(named.values()):
        return INVISIBLE
    return Placement(named["field"], seal, named["reason"], named["location"])
