"""One demonstration authority in a directory: settings, tokens, directory server, processes."""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from kernel.refusals import Unavailable
from portseal.cli.exit_codes import ExitCode
from portseal.cli.options import default_module
from portseal.demo.tokens import FIRST, ROOT, ROOT_PIN_VARIABLE, SECOND, AuthorityTokens
from portseal.holder.act import sign_act, to_json
from portseal.holder.card import Card
from portseal.sandbox.ports import free_port
from portseal.sandbox.processes import ServerUnavailableError
from portseal.sandbox.slapd import Slapd

_START_SECONDS = 180
_STOP_SECONDS = 15


class Site:
    """Directories, settings and processes. All secrets are random and stay below `directory`."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory.absolute()
        self.port = port or free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.settings_file = self.directory / "portseal.toml"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.slapd: Slapd | None = None
        self.tokens = AuthorityTokens(self.directory / "authority-token")

    # -- once ----------------------------------------------------------------------------------

    @property
    def is_prepared(self) -> bool:
        """Whether an earlier run made everything that `serve --demo` needs."""
        return self._mark.exists()

    def mark_prepared(self) -> None:
        self._mark.touch()

    @property
    def _mark(self) -> Path:
        return self.directory / "prepared"

    def prepare(self) -> None:
        """Make the directories, the two SoftHSM2 configurations and the settings file."""
        for name in ("authority-token", "usb-keys", "data"):
            (self.directory / name / "tokens").mkdir(parents=True)
            (self.directory / name).chmod(0o700)
            _write_softhsm_configuration(self.directory / name)
        self.tokens.prepare()

    def start_directory(self) -> None:
        """Start slapd, and write the settings, which name its address and password."""
        try:
            self.slapd = Slapd(directory=self.directory / "directory")
            self.slapd.start()
        except ServerUnavailableError:
            # slapd's own account cannot reach a directory below a closed home.
            self.slapd = Slapd()
            self.slapd.start()
        _write_secret(self.settings_file, self._settings(self.slapd))

    def _settings(self, slapd: Slapd) -> str:
        keep = {"secret_key": secrets.token_hex(32)}
        if self.settings_file.exists():
            for line in self.settings_file.read_text().splitlines():
                name, _, value = line.partition(" = ")
                if name in keep:
                    keep[name] = json.loads(value)
        return "\n".join(
            (
                f"data_directory = {json.dumps(str(self.directory / 'data'))}",
                "[web]",
                f'origin = "{self.origin}"',
                f"port = {self.port}",
                f"secret_key = {json.dumps(keep['secret_key'])}",
                "[timestamp]",
                "# For trying things out: the machine's clock may be nobody's.",
                "require_synchronised_clock = false",
                "[database]",
                f"url = {json.dumps(self.database_url)}",
                "[token]",
                *_token(FIRST, self.tokens),
                "[[token_replicas]]",
                *_token(SECOND, self.tokens),
                "[root_token]",
                *_token(ROOT, None),
                "[directory]",
                f"url = {json.dumps(slapd.uri)}",
                f"bind_dn = {json.dumps(slapd.root_dn)}",
                f"password = {json.dumps(slapd.password)}",
                f"base = {json.dumps(slapd.suffix)}",
                "",
            )
        )

    @property
    def database_url(self) -> str:
        """SQLite below the directory, unless PORTSEAL_DATABASE__URL names another database."""
        embedded = f"sqlite:///{self.directory / 'data' / 'portseal.db'}"
        return os.environ.get("PORTSEAL_DATABASE__URL", embedded)

    # -- processes -----------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """For the authority's own processes."""
        configuration = self.directory / "authority-token" / "softhsm2.conf"
        return {
            **os.environ,
            "PORTSEAL_CONFIG": str(self.settings_file),
            "SOFTHSM2_CONF": str(configuration),
        }

    def use_usb_keys(self) -> str:
        """Make this process the holders' machine: its tokens are USB keys. The module's path."""
        os.environ["SOFTHSM2_CONF"] = str(self.directory / "usb-keys" / "softhsm2.conf")
        return default_module()

    def run(self, *arguments: str, **environment: str) -> str:
        """One `portseal` command of the authority's, to its end. Raises Unavailable."""
        command = [sys.executable, "-m", "portseal.cli", *arguments]
        surroundings = {**self.environment, **environment}
        done = subprocess.run(command, env=surroundings, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable("demo.command", f"portseal {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def run_signed(self, cards: Sequence[Card], *arguments: str, **environment: str) -> str:
        """A command for which these officers' cards sign: it prints what it asks for, each officer
        signs that on a computer of his own, and it is given the signatures. Raises Unavailable."""
        command = [sys.executable, "-m", "portseal.cli", *arguments]
        surroundings = {**self.environment, **environment}
        asked = subprocess.run(command, env=surroundings, capture_output=True, text=True)
        if asked.returncode != ExitCode.WAITS:
            raise Unavailable("demo.command", f"portseal {arguments[0]}: {asked.stderr.strip()}")
        with tempfile.TemporaryDirectory() as directory:
            options = []
            for number, card in enumerate(cards):
                file = Path(directory) / f"signed-{number}.json"
                file.write_text(to_json(sign_act(card, asked.stdout)), "utf-8")
                options += ["--signed", str(file)]
            return self.run(*arguments, *options, **environment)

    def run_signed_json(self, cards: Sequence[Card], *arguments: str) -> Any:
        return json.loads(self.run_signed(cards, *arguments, "--json"))

    def run_json(self, *arguments: str, **environment: str) -> Any:
        return json.loads(self.run(*arguments, "--json", **environment))

    @contextmanager
    def root_plugged_in(self) -> Iterator[dict[str, str]]:
        """Until the end of the block; what the environment of a ceremony or root session tells."""
        self.tokens.plug_in(ROOT)
        try:
            yield self.root_pin
        finally:
            self.tokens.pull(ROOT)

    @property
    def root_pin(self) -> dict[str, str]:
        return {ROOT_PIN_VARIABLE: self.tokens.pin_file(ROOT).read_text()}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a `portseal` command in the background, its output in a file."""
        return self.start_program(
            [sys.executable, "-m", "portseal.cli", *arguments], arguments[0], **environment
        )

    def start_program(
        self, command: list[str], name: str, **environment: str
    ) -> subprocess.Popen[bytes]:
        with (self.directory / f"{name}.log").open("ab") as log:
            # A group of its own, so that what it started can be ended with it.
            process = subprocess.Popen(
                command,
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
                process_group=0,
            )
        self._processes.append(process)
        return process

    def start_services(self) -> None:
        """Start web server and worker, and wait until the service is ready."""
        server = self.start("serve")
        self.start("worker")
        self.wait_for(f"{self.origin}/health/ready", server)

    def wait_for(self, url: str, process: subprocess.Popen[bytes]) -> None:
        """Until `url` answers 200. Raises Unavailable when the process ends or time is up."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                if requests.get(url, timeout=10).status_code == 200:
                    return
            except requests.RequestException:
                pass  # it does not listen yet
            time.sleep(0.05)
        raise Unavailable("demo.start", f"nothing answers at {url}; see {self.directory}/*.log")

    def stop(self) -> None:
        """End every process that was started here, and what they left behind."""
        for process in reversed(self._processes):
            if process.poll() is None:
                process.terminate()
        for process in self._processes:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            # A server that was killed leaves its workers.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self._processes.clear()
        if self.slapd is not None:
            self.slapd.stop()


def _token(label: str, tokens: AuthorityTokens | None) -> tuple[str, ...]:
    """Lines of a token's table. Without `tokens` its PIN is in the variable of the ceremony's."""
    pin = f"pin_variable = {json.dumps(ROOT_PIN_VARIABLE)}"
    if tokens is not None:
        pin = f"pin_file = {json.dumps(str(tokens.pin_file(label)))}"
    return f"module = {json.dumps(default_module())}", f'label = "{label}"', pin


def _write_softhsm_configuration(directory: Path) -> None:
    tokens = directory / "tokens"
    (directory / "softhsm2.conf").write_text(
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")
