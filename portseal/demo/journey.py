"""The main job from end to end, as a list of steps."""

import time
from pathlib import Path

import click

from portseal.demo.authority_steps import hold_ceremony
from portseal.demo.encryption_steps import encrypt_to_card
from portseal.demo.ground import renew, require_ours
from portseal.demo.people_steps import (
    add_operator,
    appoint_officers,
    make_legal_person_card,
    register_enterprise,
)
from portseal.demo.revocation_steps import (
    publish,
    refuse_revoked_card,
    revoke_card,
    show_good_status,
    verify_afterwards,
    verify_journal,
)
from portseal.demo.signin_steps import sign_in_once
from portseal.demo.signing_steps import sign_declaration, stamp_file, verify_declaration
from portseal.demo.site import Site
from portseal.demo.stage import Stage, Step, perform
from portseal.demo.token_steps import pull_a_token, see_token_return
from portseal.demo.usb_keys import UsbKeys

STEPS: tuple[tuple[str, Step], ...] = (
    ("Key ceremony", hold_ceremony),
    ("Officers get their cards", appoint_officers),
    ("Enterprise registered under four eyes", register_enterprise),
    ("Legal-person card made", make_legal_person_card),
    ("Operator added, card made", add_operator),
    ("Certificate status before", show_good_status),
    ("One of the services' two tokens pulled", pull_a_token),
    ("Declaration signed", sign_declaration),
    ("Signature verified", verify_declaration),
    ("Timestamp for anybody", stamp_file),
    ("Encrypted to the card", encrypt_to_card),
    ("Signed in once, two platforms", sign_in_once),
    ("The pulled token back in use", see_token_return),
    ("Operator's card revoked", revoke_card),
    ("Signatures after the revocation", verify_afterwards),
    ("Revoked card shut out", refuse_revoked_card),
    ("Certificates and CRLs in the directory", publish),
    ("Journal verified", verify_journal),
)


def run_demo(output: Path) -> None:
    """Run every step on a fresh authority beside `output`, and leave the results there.

    What an earlier run left in both is erased. Raises Conflict `demo.not-ours` when one holds
    anything else, and what the failing step raises, after the services were stopped.
    """
    started = time.monotonic()
    site = Site(output.with_name(f"{output.name}-authority"))
    for directory in (output, site.directory):
        require_ours(directory)
    for directory in (output, site.directory):
        renew(directory)
    click.echo("PortSeal: the main job on real tokens and servers; everybody in it is invented.")
    try:
        stage = Stage(site, output, UsbKeys(site.use_usb_keys(), site.directory / "usb-pins.json"))
        for number, (title, step) in enumerate(STEPS, 1):
            perform(number, title, step, stage)
    finally:
        site.stop()
    took = time.monotonic() - started
    click.echo(f"All {len(STEPS)} steps passed in {took:.0f} s. Results: {output}/")
    click.echo(f"Read {output}/report.html in a browser, and {output}/transcript.txt.")
