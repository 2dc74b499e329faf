"""`portseal`: the command line. Exit codes are listed in `portseal.cli.exit_codes`."""

import gc
import importlib
import logging
import sys

import click

from kernel.refusals import Refusal
from portseal.cli.exit_codes import ExitCode
from portseal.cli.output import fail

# Name of a command -> the module and attribute that hold it. A command's module is imported
# only when it is called, so that `portseal card show` does not load the web server.
_COMMANDS = {
    "init": "portseal.cli.ceremony:init",
    "ceremony": "portseal.cli.ceremony:ceremony",
    "key": "portseal.cli.keys:key",
    "serve": "portseal.cli.running:serve",
    "worker": "portseal.cli.running:worker",
    "metrics": "portseal.cli.running:metrics",
    "status": "portseal.cli.authority:status",
    "officer": "portseal.cli.authority:officer",
    "act": "portseal.cli.act:act",
    "platform": "portseal.cli.platform:platform",
    "sign-in-key": "portseal.cli.sign_in_key:sign_in_key",
    "card": "portseal.cli.card:card",
    "seal": "portseal.cli.seal:seal",
    "verify": "portseal.cli.verification:verify",
    "extend": "portseal.cli.verification:extend",
    "revoke": "portseal.cli.verification:revoke",
    "archive": "portseal.cli.archive:archive",
    "clock": "portseal.cli.clock:clock",
    "journal": "portseal.cli.records:journal",
    "db": "portseal.cli.records:database",
    "backup": "portseal.cli.backup:backup",
    "restore": "portseal.cli.backup:restore",
    "directory": "portseal.cli.directory:directory",
    "mass-revoke": "portseal.cli.mass:mass_revoke",
    "reissue": "portseal.cli.reissue:reissue",
    "profile": "portseal.cli.profile:profile",
    "certify": "portseal.cli.certify:certify",
    "key-centre": "portseal.cli.key_centre:key_centre",
    "demo": "portseal.cli.running:demo",
}


_HELP = {
    "init": "Hold the first key ceremony",
    "ceremony": "Key ceremonies after a plan, sessions of the root",
    "key": "The authority's keys: backup, restore, destruction",
    "serve": "Serve portal, signing, sign-in, status and timestamps",
    "worker": "Publish, renew CRLs, account for interrupted work",
    "metrics": "Answer Prometheus on a door of its own",
    "status": "Tell whether everything is in order",
    "officer": "The authority's officers",
    "act": "Sign what shall be done at the console",
    "platform": "Platforms that sign people in here",
    "sign-in-key": "The keys that ID tokens are signed with",
    "card": "What a holder does with a USB key",
    "seal": "Enterprises' seals in the authority's token",
    "verify": "Verify a signed document",
    "extend": "Raise a signature to a higher level",
    "revoke": "Revoke a card",
    "archive": "Accepted signatures, kept with their evidence",
    "clock": "The clock that timestamps are made with",
    "journal": "The chained records of everything that was done",
    "db": "The database's schema",
    "backup": "Write database, token and archive as one encrypted set",
    "restore": "Put such a set back",
    "directory": "The LDAP directory that is published to",
    "mass-revoke": "Revoke many certificates",
    "reissue": "Issue everything of an old authority under a new one",
    "profile": "What each kind of certificate holds, in words",
    "certify": "Certificates for servers and programs",
    "key-centre": "The centre that escrows encryption keys",
    "demo": "Run the whole main job and keep the results",
}


class _LazyGroup(click.Group):
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table: nothing is imported to show the list."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _HELP[name]) for name in _COMMANDS])

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = _COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        # What modules make stays: looking through it for what can go takes a tenth of the start.
        gc.disable()
        command = getattr(importlib.import_module(module), attribute)
        gc.freeze()
        gc.enable()
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="portseal")
def portseal() -> None:
    """PortSeal: certificates from tokens, registration, signing, verification, sign-in.

    \b
    Exit codes: 0 done; 1 refused; 2 wrong command line; 3 token, database or service
    unavailable; 4 PIN missing or wrong, or token locked; 5 verification not passed or
    journal not intact; 6 an officer's card must sign first; 70 unforeseen error.
    """


def main() -> None:
    """The console script."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        portseal()
    except Refusal as refusal:
        fail(refusal)
    except Exception:
        logging.getLogger("portseal").exception("unforeseen error")
        sys.exit(ExitCode.FAILED)
