"""The key ceremony, and the services that come up on its keys."""

from portseal.demo.site import Site
from portseal.demo.stage import Stage, expect


def make_authority_token(site: Site) -> None:
    """Initialise the authority's token as one would a USB key; its PINs are random files."""
    secrets = site.directory / "authority-token"
    site.run(
        "card", "init", "--token", "portseal", "--pin-env", "PIN", "--so-pin-env", "SO_PIN",
        PIN=(secrets / "pin").read_text(), SO_PIN=(secrets / "so-pin").read_text(),
    )  # fmt: skip


def hold_ceremony(stage: Stage) -> str:
    """Make the keys, start the directory and the services."""
    site = stage.site
    site.prepare()
    make_authority_token(site)
    site.start_directory()
    made = site.run_json("init", "--organization", "示例电子口岸", "--output", str(stage.output))
    wanted = {"root", "issuing", "ocsp", "tsa", "report", "root-ocsp"}
    expect(set(made) == wanted, "the ceremony made other certificates")
    transcript = stage.file("transcript.txt").read_text(encoding="utf-8")
    keys = transcript.count("sensitive, not extractable")
    expect(keys == 7, "the transcript does not speak of seven keys")
    site.start_services()
    return (
        f"{keys} keys were generated inside the PKCS#11 token, sensitive and not extractable;\n"
        f"root, issuing CA, their OCSP responders, the timestamp authority and the signer of "
        f"reports hold certificates."
    )
