"""USB keys of holders who use the command line, in a SoftHSM2 directory of their own."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from portseal.cli.exit_codes import ExitCode
from portseal.demo.stage import Stage
from portseal.holder.act import sign_act, to_json
from tests.portseal.cli.terminal import Answer, Outcome, converse, run, run_with_pin
from tests.portseal.service import RunningService
from tests.token import softhsm_configuration

CODE = "CODE_FOR_TEST"


class Holder:
    """Somebody at a computer of their own, with USB keys and the service's address."""

    def __init__(self, directory: Path, service: RunningService) -> None:
        self.service = service
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PORTSEAL")
        } | {
            "SOFTHSM2_CONF": str(softhsm_configuration(directory)),
            "PORTSEAL_URL": service.origin,
        }

    def run(self, *arguments: str, **environment: str) -> Outcome:
        return run(arguments, {**self.environment, **environment})

    def run_with_pin(self, pin: str, *arguments: str, **environment: str) -> Outcome:
        return run_with_pin(arguments, {**self.environment, **environment}, pin)

    def converse(self, answers: Sequence[tuple[str, Answer]], *arguments: str) -> Outcome:
        return converse(arguments, self.environment, answers)

    def card(self, label: str, pin: str, activation_code: str) -> dict[str, Any]:
        """Initialise and enrol a USB key; what `card enrol --json` said."""
        made = self.run_with_pin(pin, "card", "init", "--token", label)
        assert made.code == 0, made.said
        arguments = ("card", "enrol", "--token", label, "--code-env", CODE, "--json")
        enrolled = self.run_with_pin(pin, *arguments, **{CODE: activation_code})
        assert enrolled.code == 0, enrolled.said
        record: dict[str, Any] = json.loads(enrolled.out)
        return record


@pytest.fixture(scope="session")
def holder(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Holder:
    return Holder(tmp_path_factory.mktemp("usb-keys"), service)


def run_signed(
    stage: Stage,
    officers: Sequence[str],
    arguments: Sequence[str],
    environment: Mapping[str, str],
) -> Outcome:
    """What came of the command once its statement was signed by these cards; or its refusal."""
    asked = run(arguments, environment)
    if asked.code != ExitCode.WAITS:
        return asked
    with tempfile.TemporaryDirectory() as directory:
        options: list[str] = []
        for label in officers:
            file = Path(directory) / f"{label}.json"
            file.write_text(to_json(sign_act(stage.cards[label], asked.out)), "utf-8")
            options += ["--signed", str(file)]
        return run([*arguments, *options], environment)


class Console:
    """The authority's own console."""

    def __init__(self, service: RunningService) -> None:
        self._service = service
        self.environment: Mapping[str, str] = service.site.environment

    def signed(self, officers: Sequence[str], *arguments: str, **environment: str) -> Outcome:
        """A command for which officers sign, by the labels of their cards, each on a computer of
        their own."""
        return run_signed(
            self._service.stage, officers, arguments, {**self.environment, **environment}
        )

    def signed_json(self, officers: Sequence[str], *arguments: str) -> Any:
        done = self.signed(officers, *arguments, "--json")
        assert done.code == 0, done.said
        return json.loads(done.out)

    def run(self, *arguments: str, **environment: str) -> Outcome:
        return run(arguments, {**self.environment, **environment})

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.code == 0, done.said
        return json.loads(done.out)


@pytest.fixture(scope="session")
def console(service: RunningService) -> Console:
    return Console(service)
