"""The key ceremony, and the services that come up on its keys."""

from portseal.demo.site import Site
from portseal.demo.stage import Stage, expect
from portseal.demo.tokens import LABELS, ROOT, SECOND

_SERVICE_KEYS = 6
"""Of the issuing authority, its and the root's OCSP, timestamps, reports, sign-in."""


def initialise_tokens(site: Site) -> None:
    """Each as one would a USB key; the PINs are random files."""
    for label in LABELS:
        site.run(
            "card", "init", "--token", label, "--pin-env", "PIN", "--so-pin-env", "SO_PIN",
            PIN=site.tokens.pin_file(label).read_text(),
            SO_PIN=site.tokens.so_pin_file(label).read_text(),
        )  # fmt: skip


def hold_ceremony(stage: Stage) -> str:
    """Make the keys on three tokens, put the root's away, start the directory and the services."""
    site = stage.site
    site.prepare()
    initialise_tokens(site)
    site.start_directory()
    made = site.run_json(
        "ceremony", "run", "pool", "--organization", "示例电子口岸", "--output", str(stage.output),
        **site.root_pin,
    )  # fmt: skip
    wanted = {"root", "issuing", "ocsp", "tsa", "report", "root-ocsp"}
    expect(set(made) == wanted, "the ceremony made other certificates")
    transcript = stage.file("transcript.txt").read_text(encoding="utf-8")
    stays = transcript.count("sensitive, not extractable")
    leaves = transcript.count("sensitive, leaves wrapped only")
    carried = transcript.count(f"carried wrapped to token {SECOND}")
    expect((stays, leaves) == (1, _SERVICE_KEYS), "the transcript does not speak of seven keys")
    expect(carried > _SERVICE_KEYS, "the keys are not on the second token")
    site.run("ceremony", "root-session", **site.root_pin)
    site.tokens.pull(ROOT)
    site.start_services()
    return (
        f"{stays + leaves} keys were generated inside PKCS#11 tokens, all sensitive; the root's is "
        "not extractable, and its\ntoken was pulled after it had signed its list. The services run "
        f"on two tokens with the same keys:\n{carried} keys, secret ones too, were carried wrapped "
        "from one to the other.\nRoot, issuing CA, their OCSP responders, the timestamp authority "
        "and the signer of reports hold certificates."
    )
