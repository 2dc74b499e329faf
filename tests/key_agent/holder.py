"""An operator at a computer with the key agent, whose USB key a running service has made."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from portseal.holder.service import Service
from tests.key_agent.human import Answer, Window
from tests.key_agent.running import RunningAgent, running_agent
from tests.portseal.service import RunningService
from tests.token import softhsm_configuration, softhsm_module

LABEL, PIN = "operator", "holder 193746"


def agrees(window: Window) -> Answer:
    """The person says yes, and types the PIN wherever one is asked for."""
    return {"ok": True} if window.command == "CONFIRM" else {"pin": PIN}


def make_persons_card(
    agent: RunningAgent,
    service: Service,
    code: str,
    answer: Callable[[Window], Answer] = agrees,
    label: str = "operator",
) -> str:
    """On the agent's blank token, by the agent's own methods; for the origin that it speaks for.
    `answer` is what the person does. The token's identifier."""
    agent.human.answer = answer
    tokens = agent.call("tokens")["tokens"]
    blank = next(each["id"] for each in tokens if each["state"] == "blank")
    token: str = agent.call("initialise", token=blank, label=label)["token"]["id"]
    pkcs10 = agent.call("make_key", token=token)["pkcs10"]
    made = service.call("POST", "/api/v1/enrolments", {"activation_code": code, "pkcs10": pkcs10})
    der = "".join(made["certificate"].split("-----")[2].split())
    agent.call("write_certificates", token=token, certificates=[der])
    agent.human.windows.clear()
    return token


@contextmanager
def operator_at(
    service: RunningService, directory: Path, module: str | None = None, **environment: str
) -> Iterator[RunningAgent]:
    """On the port that the service's pages look for the agent at. Without a `module` of another
    make, and the environment where that finds its tokens, SoftHSM2's tokens are in
    `directory`/usb/tokens, and moved away they are pulled."""
    if module is None:
        environment = {"SOFTHSM2_CONF": str(softhsm_configuration(directory / "usb"))}
    with running_agent(
        directory / "home", module or softhsm_module(), {LABEL: PIN}, service.agent_port,
        **environment,
    ) as agent:  # fmt: skip
        agent.allow(service.origin)
        code = service.activation_code_of_new_operator("declare-import")
        make_persons_card(agent, service.anonymous(), code)
        yield agent


def pins(operator: RunningAgent) -> int:
    """How often the person was asked for one, since the windows were cleared."""
    return [window.command for window in operator.human.windows].count("GETPIN")


def accepted(service: RunningService) -> int:
    """Signatures in the service's archive, of whatever card."""
    with closing(sqlite3.connect(service.database_file)) as records:
        (count,) = records.execute("SELECT count(*) FROM accepted_signatures").fetchone()
    return int(count)
