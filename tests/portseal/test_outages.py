"""What the service needs is gone, full, locked or killed: a clear refusal, and nothing is lost."""

import base64
import itertools
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from kernel.refusals import Refusal, Unavailable
from portseal.cli.exit_codes import ExitCode
from portseal.demo.strangers import openssl_ocsp_request
from portseal.holder.service import Service, ServiceRefusal
from portseal.metrics.records import RecordsCollector
from portseal.wiring import House
from signing_service.validation.evidence import SignatureFormat
from tests.portseal.service import RunningService, Twin, database_file, twin_of

_NUMBERS = itertools.count()
SAMPLE = Path(__file__).parents[1] / "samples" / "dec-import.xml"


def request_of_a_new_key() -> str:
    """PKCS#10 as the interface takes it. The holder's token is not what is tested here."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return base64.b64encode(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)).decode()


def enrol(service: Service, code: str, request: str) -> dict[str, Any]:
    body = {"activation_code": code, "pkcs10": request}
    card: dict[str, Any] = service.call("POST", "/api/v1/enrolments", body)["card"]
    return card


def tried(twin: Twin, code: str, request: str) -> tuple[dict[str, Any] | None, str]:
    """The card, or the code of the refusal."""
    try:
        return enrol(twin.anonymous(), code, request), ""
    except ServiceRefusal as refusal:
        return None, refusal.code


def operators(legal_person: Service, count: int) -> list[str]:
    """Activation codes of so many new operators."""
    return [
        legal_person.call(
            "POST",
            "/api/v1/operators",
            {
                "name": f"临时{n}",
                "employee_number": f"T{next(_NUMBERS)}",
                "rights": ["declare-import"],
            },
        )["activation_code"]
        for n in range(count)
    ]


def signed_in(twin: Twin, service: RunningService, label: str) -> Service:
    conversation = twin.anonymous()
    conversation.sign_in(service.stage.cards[label])
    return conversation


def refused(act: Any, *arguments: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        act(*arguments)
    return caught.value


def is_unavailable(refusal: Refusal, *codes: str) -> bool:
    return isinstance(refusal, ServiceRefusal) and (
        (refusal.http_status, refusal.code in codes) == (503, True)
    )


def journal_is_intact(twin: Twin) -> bool:
    verdict = twin.site.run_json("journal", "verify")
    return bool(verdict["journal"] == "intact")


def rows(twin: Twin, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(twin.database_file)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@pytest.mark.long
def test_a_locked_database_is_told_and_the_work_is_done_afterwards(
    twin: Twin, service: RunningService
) -> None:
    twin.serve()
    legal_person = signed_in(twin, service, "legal-person")
    (code,) = operators(legal_person, 1)
    request = request_of_a_new_key()
    lock = sqlite3.connect(twin.database_file, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        with ThreadPoolExecutor() as pool:
            writers = [
                pool.submit(refused, enrol, twin.anonymous(), code, request),
                pool.submit(refused, operators, legal_person, 1),
            ]
            assert twin.probe("/api/v1/rights") == 200
            assert twin.probe("/crl/issuing.crl") == 200
            assert [is_unavailable(each.result(), "database.unavailable") for each in writers] == [
                True,
                True,
            ]
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    assert enrol(twin.anonymous(), code, request)["state"] == "active"
    assert len(operators(legal_person, 1)) == 1
    assert journal_is_intact(twin)


@pytest.fixture
def small_disk(service: RunningService, tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, with room for a copy of the service's database and 4 MiB more."""
    place = tmp_path / "disk"
    place.mkdir()
    size = database_file(service.site).stat().st_size + (4 << 20)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no right to mount a small disk here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.long
def test_a_full_disk_is_told_and_the_card_is_made_afterwards(
    small_disk: Path, service: RunningService
) -> None:
    with twin_of(service.site, small_disk / "twin") as twin:
        twin.serve()
        legal_person = signed_in(twin, service, "legal-person")
        (code,) = operators(legal_person, 1)
        request = request_of_a_new_key()
        fill(small_disk / "ballast")
        refusal = refused(lambda: [enrol(twin.anonymous(), code, request) for _ in range(2)])
        assert is_unavailable(refusal, "database.unavailable")
        assert twin.probe("/health/live") == 200
        (small_disk / "ballast").unlink()
        assert enrol(twin.anonymous(), code, request)["state"] == "active"
        assert journal_is_intact(twin)


def fill(ballast: Path) -> None:
    """Write until the disk takes no more, to the last block."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue


@pytest.mark.long
def test_a_token_that_goes_and_comes_back(twin: Twin, service: RunningService) -> None:
    twin.serve()
    legal_person = signed_in(twin, service, "legal-person")
    first, second = operators(legal_person, 2)
    assert enrol(twin.anonymous(), first, request_of_a_new_key())["state"] == "active"
    request = request_of_a_new_key()
    tokens = twin.token_directory / "tokens"
    away = tokens.rename(tokens.with_name("away"))
    tokens.mkdir()
    refusal = refused(enrol, twin.anonymous(), second, request)
    assert is_unavailable(refusal, "token.missing", "token.failed", "token.no-key"), refusal
    assert twin.probe("/health/ready") == 503
    assert twin.probe("/health/live") == 200
    assert twin.probe("/crl/issuing.crl") == 200
    tokens.rmdir()
    away.rename(tokens)
    deadline = time.monotonic() + 30
    while True:
        card, why = tried(twin, second, request)
        if card is not None:
            break
        assert why in {"token.missing", "token.failed", "enrolment.unsettled"}
        assert time.monotonic() < deadline
        settle(twin)  # takes about as long as the module pauses before it looks again
    assert card["state"] == "active"
    assert journal_is_intact(twin)


@pytest.mark.long
def test_a_service_whose_journal_takes_nothing_is_not_ready(
    twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin.serve()
    monkeypatch.setenv("PORTSEAL_CONFIG", str(twin.site.settings_file))
    prevent = "CREATE TRIGGER t BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'no'); END"
    for statement, status in ((prevent, 503), ("DROP TRIGGER t", 200)):
        with closing(sqlite3.connect(twin.database_file, timeout=30)) as connection:
            connection.execute(statement)
        deadline = time.monotonic() + 30
        while twin.probe("/health/ready") != status:  # an answer is kept for two seconds
            assert time.monotonic() < deadline
        assert twin.probe("/health/live") == 200
        with House.opened() as house:
            told = dict(told_up(house))
        assert told["journal"] == (status == 200)


def told_up(house: House) -> Iterator[tuple[str, bool]]:
    """Parts of `portseal_up`, as Prometheus gets them."""
    for metric in RecordsCollector(house).collect():
        if metric.name == "portseal_up":
            yield from ((s.labels["part"], bool(s.value)) for s in metric.samples)


def settle(twin: Twin) -> None:
    """Let the worker account for intents as it would some minutes later."""
    connection = sqlite3.connect(twin.database_file, timeout=30)
    with connection:
        connection.execute(
            "UPDATE ca_certificates SET intended_at = datetime(intended_at, '-1 hour') "
            "WHERE state = 'intended'"
        )
    connection.close()
    twin.site.run("worker", "--once")


@pytest.mark.long
def test_killed_amid_enrolments_every_serial_is_accounted_for(
    twin: Twin, service: RunningService
) -> None:
    twin.serve()
    codes = operators(signed_in(twin, service, "legal-person"), 24)
    requests = [request_of_a_new_key() for _ in codes]
    made: dict[str, str] = {}
    with ThreadPoolExecutor(4) as pool:
        waiting = {
            pool.submit(enrol, twin.anonymous(), code, request): code
            for code, request in zip(codes, requests, strict=True)
        }
        for number, done in enumerate(as_completed(waiting)):
            if done.exception() is None:
                made[waiting[done]] = done.result()["serial"]
            else:
                assert isinstance(done.exception(), Unavailable | ServiceRefusal)
            if number == 4:
                twin.kill()
    assert len(made) >= 4
    twin.serve()
    settle(twin)
    assert rows(twin, "SELECT serial FROM ca_certificates WHERE state = 'intended'") == []
    for code, request in zip(codes, requests, strict=True):
        if code in made:
            again = enrol(twin.anonymous(), code, request)
            assert again["serial"] == made[code], "the same certificate for the same key"
            other = request_of_a_new_key()
            assert refused(enrol, twin.anonymous(), code, other).code == "enrolment.code"
            continue
        card, why = tried(twin, code, request)
        if card is not None:
            made[code] = card["serial"]
        else:
            # Made, but the answer never arrived; or revoked as an intent without a certificate,
            # whose key is not certified again.
            assert why in {"enrolment.code", "public-key.already-certified"}
    unknown = rows(
        twin,
        "SELECT number FROM cards WHERE state = 'active' AND serial NOT IN "
        "(SELECT serial FROM ca_certificates WHERE state = 'issued')",
    )
    assert unknown == []
    orphans = rows(
        twin,
        "SELECT serial FROM ca_certificates WHERE state = 'issued' AND profile = 'operator' "
        "AND serial NOT IN (SELECT serial FROM cards WHERE serial IS NOT NULL)",
    )
    assert orphans == []
    issued = {row[0] for row in rows(twin, "SELECT serial FROM ca_certificates")}
    assert set(made.values()) <= issued
    assert len(set(made.values())) == len(made)
    assert journal_is_intact(twin)


@pytest.mark.long
def test_two_worker_processes_serve_everybody_at_once(
    twin: Twin, service: RunningService, tmp_path: Path
) -> None:
    twin.serve(PORTSEAL_WEB__WORKERS="2")
    card = service.stage.cards["operator"]
    for name in ("root", "issuing"):
        shutil.copy(service.stage.file(f"{name}.pem"), tmp_path)
    operator = tmp_path / "operator.pem"
    operator.write_bytes(
        x509.load_der_x509_certificate(card.certificate.der).public_bytes(Encoding.PEM)
    )
    query = openssl_ocsp_request(operator, tmp_path / "issuing.pem")
    start = threading.Barrier(8)

    def sign(number: int) -> str:
        conversation = twin.anonymous()
        start.wait()
        conversation.sign_in(card)
        formats = (SignatureFormat.CADES, SignatureFormat.XADES)
        signed = [conversation.sign(card, SAMPLE.read_bytes(), formats[n % 2]) for n in range(6)]
        return ",".join(sorted({str(each.indication) for each in signed}))

    def ask(number: int) -> str:
        conversation = twin.anonymous()
        start.wait()
        headers = {"Content-Type": "application/ocsp-request"}
        for _ in range(100):
            answer = conversation.fetch("POST", "/ocsp", data=query, headers=headers)
            assert answer.content[:1] == b"\x30"
        return "asked"

    def look(number: int) -> str:
        conversation = twin.anonymous()
        start.wait()
        for _ in range(20):
            conversation.fetch("GET", "/apply", headers={"Accept": "text/html"})
            conversation.call("POST", "/api/v1/sign-in/challenges", {})
        return "looked"

    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(work, n) for work in (sign, sign, ask, look) for n in range(2)]
        said = [job.result() for job in jobs]
    assert said == ["TOTAL-PASSED"] * 4 + ["asked"] * 2 + ["looked"] * 2
    assert journal_is_intact(twin)
    assert "Traceback" not in (twin.site.directory / "serve.log").read_text()


def test_a_service_without_its_database_says_so_and_does_not_start(twin: Twin) -> None:
    url = f"sqlite:///{twin.site.directory}/nowhere/portseal.db"
    server = twin.site.start("serve", PORTSEAL_DATABASE__URL=url)
    assert server.wait(timeout=60) == ExitCode.UNAVAILABLE
    log = (twin.site.directory / "serve.log").read_text()
    assert "[database.unavailable]" in log
    assert "Traceback" not in log
