"""A card is revoked, everything is published, and the journal tells it all."""

import json
import ssl
import time

from sqlalchemy import insert, select, update

from kernel.clock import SystemClock
from portseal.demo import strangers
from portseal.demo.signing_steps import import_declaration
from portseal.demo.stage import Stage, expect, expect_refusal
from portseal.holder.service import Service, ServiceRefusal
from records.database import Database, metadata
from records.journal import Journal, Verification
from records.tables import journal, journal_head
from signing_service.formats.cades import whole as cades
from signing_service.timestamping.client import HttpTimestamper
from signing_service.validation.evidence import SignatureFormat

_OCSP_SECONDS = 1.0
_LIST_SECONDS = 30.0
_LOGOUT_SECONDS = 20.0


def show_good_status(stage: Stage) -> str:
    """Before: OCSP and CRL say good."""
    operator = stage.keep("operator.pem", _pem(stage))
    _ask_ocsp(stage, "ocsp-good.der")
    root, issuing = stage.file("root.pem"), stage.file("issuing.pem")
    said = strangers.openssl_reads_ocsp(stage.file("ocsp-good.der"), operator, issuing, root)
    expect(said == "good", f"OCSP says {said}")
    fetch_crl(stage)
    strangers.openssl_verifies_chain(operator, issuing, root, stage.file("issuing.crl"))
    return "openssl ocsp reads good; openssl verify -crl_check accepts the operator's certificate."


def revoke_card(stage: Stage) -> str:
    """Revoke, and watch every place where it must show."""
    administrator = stage.signed_in("administrator")
    number = stage.numbers["operator"]
    administrator.revoke(number, "keyCompromise")
    started = time.monotonic()
    seconds = _until_revoked(stage, started)
    stage.site.run("worker", "--once")
    fetch_crl(stage)
    root, issuing = stage.file("root.pem"), stage.file("issuing.pem")
    revoked = strangers.openssl_says_revoked(
        stage.file("operator.pem"), issuing, root, stage.file("issuing.crl")
    )
    expect(revoked, "the CRL does not list the card")
    return (
        f"card {number} revoked for keyCompromise; OCSP said so {seconds * 1000:.0f} ms later, "
        "the CRL at once on demand;\nopenssl verify -crl_check now refuses the certificate."
    )


def verify_afterwards(stage: Stage) -> str:
    """What was signed and timestamped before still holds; what comes after does not."""
    service = stage.anonymous()
    document = stage.file("declaration.xml").read_bytes()
    signature = stage.file("declaration.p7s").read_bytes()
    after = _report(stage, service, "report-after.json", document, signature)
    expect(after["indication"] == "TOTAL-PASSED", f"the old signature is now {after}")
    tampered = document.replace(b"<GQty>40</GQty>", b"<GQty>400</GQty>")
    bad = _report(stage, service, "report-tampered.json", tampered, signature)
    expect(bad["indication"] == "TOTAL-FAILED", f"the tampered document is {bad}")
    new = _report(stage, service, "report-new.json", document, _sign_without_service(stage))
    expect(new["indication"] != "TOTAL-PASSED", f"a signature after the revocation is {new}")
    return (
        f"signature from before: {after['indication']}; tampered declaration: "
        f"{bad['indication']}/{bad['sub_indication']};\n"
        f"new signature with the revoked card: {new['indication']}/{new['sub_indication']}."
    )


def refuse_revoked_card(stage: Stage) -> str:
    """The service signs nothing for the card, ends its session and lets it in no more."""
    service, card = stage.sessions["operator"], stage.cards["operator"]
    document = import_declaration()
    signing = expect_refusal(
        "signin.required", lambda: service.sign(card, document, SignatureFormat.CADES)
    )
    platforms = stage.sessions["platforms"]
    state = platforms.call("GET", "/sso/session")
    expect(state["signed_in"] is False, "the platforms' session lives on")
    for address in stage.facts["platforms"]:
        _until_signed_out(platforms, address)
    entering = expect_refusal("signin.revoked", lambda: stage.anonymous().sign_in(card))
    return (
        f"its session is ended (signing: {signing}); both platforms were told and ended theirs;\n"
        f"a new sign-in is refused: {entering}"
    )


def publish(stage: Stage) -> str:
    """Stop the directory, cause something to publish, start it again: nothing was lost."""
    site = stage.site
    slapd = site.slapd
    assert slapd is not None
    slapd.stop()
    administrator = stage.signed_in("administrator")
    administrator.revoke(stage.numbers["approver"], "cessationOfOperation")
    down = site.run("worker", "--once")
    expect("waiting 0" not in down, f"nothing waits though the directory is down: {down}")
    slapd.start()
    up = site.run("worker", "--once")
    expect("waiting 0" in up, f"something still waits: {up}")
    found = strangers.ldapsearch(
        slapd.uri, slapd.suffix, "(objectClass=*)", "userCertificate", "cACertificate",
        "certificateRevocationList",
    )  # fmt: skip
    lists = found.count("certificateRevocationList;binary:")
    authorities = found.count("cACertificate;binary:")
    cards = found.count("userCertificate;binary:")
    expect(lists >= 1 and authorities >= 1 and cards >= 1, f"the directory lacks entries: {found}")
    return (
        f"with the directory down nothing was lost; up again, it caught up. ldapsearch finds "
        f"{authorities} CA certificates,\n{lists} CRLs and {cards} holders' certificates."
    )


def verify_journal(stage: Stage) -> str:
    """The chain is intact; with one byte changed in a copy, the record is named."""
    verdict = stage.site.run_json("journal", "verify")
    expect(verdict["journal"] == "intact", f"the journal is {verdict}")
    position = verdict["records"] // 2
    broken = _verify_changed_copy(stage, position)
    expect(broken.broken_at == position, f"the changed record was not found: {broken}")
    return (
        f"{verdict['records']} chained records, intact; in a copy with one byte of record "
        f"{position} changed, record {broken.broken_at} is named."
    )


def _verify_changed_copy(stage: Stage, position: int) -> Verification:
    """Copy the journal, change one byte of one record in the copy, and verify that."""
    original = Database(stage.site.database_url)
    copy = Database(f"sqlite:///{stage.site.directory / 'changed-copy.db'}")
    metadata.create_all(copy.engine, tables=[journal, journal_head])
    with original.reading() as source, copy.transaction() as target:
        for table in (journal, journal_head):
            for row in source.execute(select(table)):
                target.execute(insert(table), dict(row._mapping))
        record = journal.c.position == position
        actor = target.execute(select(journal.c.actor).where(record)).scalar_one()
        target.execute(update(journal).where(record), {"actor": "?" + actor[1:]})
        verdict = Journal(SystemClock()).verify(target)
    original.dispose()
    copy.dispose()
    return verdict


def _pem(stage: Stage) -> str:
    return ssl.DER_cert_to_PEM_cert(stage.cards["operator"].certificate.der)


def _ask_ocsp(stage: Stage, name: str) -> bytes:
    request = stage.facts.get("ocsp-request")
    if request is None:
        request = strangers.openssl_ocsp_request(
            stage.file("operator.pem"), stage.file("issuing.pem")
        )
        stage.facts["ocsp-request"] = request
    answer = stage.anonymous().fetch(
        "POST", "/ocsp", data=request, headers={"Content-Type": "application/ocsp-request"}
    )
    stage.keep(name, answer.content)
    return answer.content


def _until_signed_out(browser: Service, address: str) -> None:
    """Ask the platform who is signed in until it is nobody: the worker tells it."""
    deadline = time.monotonic() + _LOGOUT_SECONDS
    while browser.session.get(f"{address}/me").json()["holder"] is not None:
        expect(time.monotonic() < deadline, f"{address} keeps its session")
        time.sleep(0.05)


def _until_revoked(stage: Stage, started: float) -> float:
    """Ask OCSP until it says revoked; seconds since the revocation was acknowledged."""
    good = stage.file("ocsp-good.der").read_bytes()
    root, issuing = stage.file("root.pem"), stage.file("issuing.pem")
    while True:
        changed = _ask_ocsp(stage, "ocsp-revoked.der") != good
        seconds = time.monotonic() - started
        if changed:
            said = strangers.openssl_reads_ocsp(
                stage.file("ocsp-revoked.der"), stage.file("operator.pem"), issuing, root
            )
            if said == "revoked":
                break
        expect(seconds < _OCSP_SECONDS, "OCSP does not say revoked within a second")
    return seconds


def fetch_crl(stage: Stage) -> None:
    """The worker makes the first list in its first round, which a fast machine may be ahead of."""
    deadline = time.monotonic() + _LIST_SECONDS
    while True:
        try:
            crl = stage.anonymous().fetch("GET", "/crl/issuing.crl").content
        except ServiceRefusal:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            stage.keep("issuing.crl", crl)
            return


def _report(
    stage: Stage, service: Service, name: str, document: bytes, signature: bytes
) -> dict[str, str]:
    report = service.verify(document, signature)
    stage.keep(name, json.dumps(report, ensure_ascii=False, indent=2))
    finding: dict[str, str] = report["finding"]
    return finding


def _sign_without_service(stage: Stage) -> bytes:
    """What a thief of the card would do: sign at home, and get a timestamp as anybody may."""
    card = stage.cards["operator"]
    stamper = HttpTimestamper(stage.site.origin + "/tsa")
    return cades.sign(
        import_declaration(),
        card.key,
        card.certificate,
        SystemClock().now(),
        timestamper=stamper,
    )
