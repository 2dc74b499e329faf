"""The key agent's share of one signature: what a holder waits for beside window and token.

A real agent in its own process, asked over HTTP with a declaration and its draft. From what the
caller waits, the time that the window was open (a person's) and the time in the token (log-in,
signature, log-out) are taken off, as the agent's own log tells them. The median is told: it is what
a holder waits for.
"""

import statistics
import tempfile
import time
from pathlib import Path

from signing_service.validation.evidence import SignatureFormat
from tests.bench.site import Site
from tests.bench.timing import Pace, Row
from tests.key_agent.cards import make_card, prepare
from tests.key_agent.running import RunningAgent, running_agent
from tests.software_keys import SoftwareAuthority
from tests.token import softhsm_configuration, softhsm_module

_DOCUMENT = (Path(__file__).parents[1] / "samples" / "dec-import.xml").read_bytes()
_MOST = 40
"""The agent lets one page ask only so often."""
_FEWEST = 5


def signing(_: Site, pace: Pace) -> list[Row]:
    """The agent needs no authority; it has a token of its own."""
    with tempfile.TemporaryDirectory(prefix="portseal-agent-") as name:
        directory = Path(name)
        configuration = softhsm_configuration(directory / "tokens")
        with running_agent(
            directory / "home", softhsm_module(), {"bench": "bench 193746"}, None,
            SOFTHSM2_CONF=str(configuration),
        ) as agent:  # fmt: skip
            agent.allow("https://portal.example")
            shares, in_token = _measure(agent, pace)
    return [
        Row(
            "agent.sign.ms", statistics.median(shares), statistics.median(in_token),
            "ms in the token: log-in, signature, log-out", unit="ms",
        )
    ]  # fmt: skip


def _measure(agent: RunningAgent, pace: Pace) -> tuple[list[float], list[float]]:
    card = make_card(agent, SoftwareAuthority(), "bench")
    _, asked = prepare(SignatureFormat.XADES, _DOCUMENT, card.certificate)
    shares: list[float] = []
    in_token: list[float] = []
    end = time.monotonic() + pace.seconds * pace.rounds
    while len(shares) < _FEWEST or (time.monotonic() < end and len(shares) < _MOST):
        started = time.perf_counter()
        agent.call("sign", certificate=card.identifier, **asked)
        waited = (time.perf_counter() - started) * 1000
        spent = agent.uses()[-1]["ms"]
        shares.append(waited - spent["window"] - spent["token"])
        in_token.append(spent["token"])
    return shares, in_token
