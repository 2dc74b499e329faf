"""`portseal serve`, `worker` and `demo`: processes that run."""

import logging
import multiprocessing
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

import click

from kernel.refusals import Refusal, Unavailable, Unprocessable
from portseal.cli.exit_codes import ExitCode
from portseal.cli.output import fail
from portseal.settings import read_settings


@click.command("serve")
@click.option("--demo", is_flag=True, help="With demonstration data under var/serve/.")
@click.option("--port", type=click.IntRange(1, 65535), help="Only with --demo; default 8080.")
@click.option("--timestamps", is_flag=True, help="Timestamps alone, on web.timestamp_port.")
def serve(demo: bool, port: int | None, timestamps: bool) -> None:
    """Serve portal, signing, sign-in, status and timestamps over HTTP.

    With --timestamps a process has one thread and does nothing else, and makes more of them.
    """
    if demo and timestamps:
        raise click.UsageError("--timestamps does not go with --demo")
    if port is not None and not demo:
        raise click.UsageError("--port goes with --demo; otherwise set web.port in the settings")
    if demo:
        from portseal.demo.serving import serve_demo

        serve_demo(Path("var/serve"), port or 8080)
        return
    settings = read_settings().web
    if timestamps:
        if settings.timestamp_port is None:
            raise Unprocessable("settings.invalid", "web.timestamp_port is not set")
        # Threads would wait for each other's turn at the token, and for the interpreter's lock.
        _serve("create_timestamps", settings.timestamp_port, settings.timestamp_workers, threads=1)
    else:
        _serve("create", settings.port, settings.workers, settings.threads)


def _serve(factory: str, port: int, workers: int, threads: int) -> None:
    _check_first()
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    from portseal.metrics.files import count_into_files

    settings = read_settings()
    count_into_files(settings)
    Granian(
        f"portseal.factory:{factory}",
        factory=True,
        interface=Interfaces.WSGI,
        address=settings.web.host,
        port=port,
        workers=workers,
        blocking_threads=threads,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
    ).serve()


def _check_first() -> None:
    """Leave with the exit code that says why, where the service could not start.

    In a child that ends: PKCS#11 must not be initialised before the server forks.
    """
    child = multiprocessing.get_context("fork").Process(target=_self_test)
    child.start()
    child.join()
    if child.exitcode:
        sys.exit(child.exitcode if child.exitcode > 0 else ExitCode.FAILED)


def _self_test() -> None:
    try:
        from portseal.wiring import House

        with House.opened() as house:
            house.require_schema()
            house.check()
            house.self_test()
    except Refusal as refusal:
        fail(refusal)
    except Exception:
        logging.getLogger("portseal").exception("unforeseen error")
        sys.exit(ExitCode.FAILED)


@click.command("worker")
@click.option("--once", is_flag=True, help="One round, publishing at once what waits.")
def worker(once: bool) -> None:
    """Publish to the directory, renew CRLs, account for interrupted work.

    Refuses to start on a database whose schema is not this version's (exit code 3).

    Any number of workers share one database: each due job is run by one of them, and taken over
    by another when its node dies.
    """
    from portseal import logs
    from portseal.metrics.files import count_into_files
    from portseal.wiring import House
    from portseal.worker import Worker

    with House.opened() as house:
        logs.install(house.settings.log)
        house.require_schema()
        if count_into_files(house.settings):
            from portseal.metrics.counts import count_signature

            house.token.on_signature(count_signature)
        if house.settings.token_replicas:
            with suppress(Unavailable):  # the worker waits for its tokens; they are compared
                house.token.login()
        runner = Worker(house)
        if once:
            done = runner.round(at_once=True)
            click.echo(
                f"published {done.published}, waiting {done.waiting}, "
                f"reconciled {done.reconciled}, expired {done.expired}"
                + (f"; put off: {', '.join(done.failures)}" if done.failures else "")
            )
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        from portseal.node import Node

        Node(house, runner).run(stop)


@click.command("metrics")
def metrics() -> None:
    """Answer Prometheus at /metrics, on the door that the settings name (metrics.port)."""
    settings = read_settings().metrics
    if settings.port is None:
        raise Unprocessable("settings.invalid", "metrics.port is not set")
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    Granian(
        "portseal.metrics.door:create",
        factory=True,
        interface=Interfaces.WSGI,
        address=settings.host,
        port=settings.port,
        workers=1,
        blocking_threads=2,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
    ).serve()


@click.command("demo")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var/demo"),
    show_default=True,
)
def demo(output: Path) -> None:
    """Run the whole main job, from the key ceremony to a revoked card, and keep the results.

    DIRECTORY and DIRECTORY-authority are emptied first; anything but an earlier run's results
    in them is left alone, and the run refused.
    """
    from portseal.demo.journey import run_demo

    run_demo(output)
