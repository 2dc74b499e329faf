"""A key agent in a process of its own, on tokens of its own, with a person played by the test."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from kernel.clock import SystemClock
from key_agent.origins import Origins, Standing
from key_agent.places import LOG_FILE, ORIGINS_FILE
from key_agent.uses import UseLog
from portseal.sandbox.ports import free_port
from tests.key_agent.human import Human

PINENTRY = Path(__file__).with_name("pinentry.py")


@dataclass
class RunningAgent:
    home: Path
    port: int
    human: Human
    environment: Mapping[str, str]
    module: str
    process: "subprocess.Popen[str]"
    origin: str = "https://portal.example"
    """Whom `call` speaks for."""
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(self, method: str, body: object, **headers: str) -> requests.Response:
        """One request as a browser sends it for a page of `origin`."""
        return self.session.post(
            f"{self.address}/v1/{method}",
            data=json.dumps(body).encode(),
            headers={"Origin": self.origin, "Content-Type": "application/json", **headers},
            timeout=60,
        )

    def call(self, method: str, **body: object) -> dict[str, Any]:
        """A call that must succeed."""
        answer = self.post(method, body)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def refused(self, method: str, **body: object) -> dict[str, Any]:
        """A call that must be refused; the problem."""
        answer = self.post(method, body)
        assert answer.status_code != 200, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        told: dict[str, Any] = answer.json()
        return told

    def allow(self, origin: str) -> "RunningAgent":
        """Speak for another site from now on, which the user allowed before."""
        Origins(self.home / ORIGINS_FILE, SystemClock()).set(origin, Standing.ALLOWED, frozenset())
        self.origin = origin
        self.human.answer = self.human.agree
        self.human.windows.clear()
        return self

    def command(self, *arguments: str) -> str:
        """`portseal-agent ...` beside the running one."""
        done = subprocess.run(
            [sys.executable, "-m", "key_agent", *arguments],
            env=self.environment, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout

    def uses(self) -> list[dict[str, Any]]:
        return list(UseLog(self.home / LOG_FILE, SystemClock()).entries())


@contextmanager
def running_agent(
    home: Path,
    module: str,
    pins: dict[str, str],
    port: int | None = None,
    **environment: str,
) -> Iterator[RunningAgent]:
    """Start an agent; `environment` is where its module finds its tokens."""
    port = port or free_port()
    human = Human(pins)
    surroundings = {
        **os.environ,
        **environment,
        "PORTSEAL_AGENT_HOME": str(home),
        "PORTSEAL_TEST_HUMAN": str(human.socket),
        "LC_ALL": "",
        "LC_MESSAGES": "en_GB.UTF-8",  # the command line speaks its user's language
    }
    process = subprocess.Popen(
        [
            sys.executable, "-m", "key_agent", "run", "--port", str(port), "--module", module,
            "--pinentry", str(PINENTRY), "--language", "en",
        ],
        env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        greeting = process.stdout.readline()
        assert f":{port};" in greeting, greeting + process.stdout.read()
        yield RunningAgent(home, port, human, surroundings, module, process)
    finally:
        process.terminate()
        process.communicate(timeout=30)
        human.close()
