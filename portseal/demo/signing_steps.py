"""A declaration is signed in two formats, and anybody verifies it."""

import json
from importlib import resources

from portseal.demo import strangers
from portseal.demo.stage import Stage, expect, expect_refusal
from signing_service.validation.evidence import SignatureFormat


def import_declaration() -> bytes:
    """The synthetic import declaration that the operator files."""
    return (resources.files("portseal.demo") / "samples" / "dec-import.xml").read_bytes()


def export_declaration() -> bytes:
    """The same as an export, for which the operator holds no right."""
    return import_declaration().replace(b"<IEFlag>I<", b"<IEFlag>E<")


def sign_declaration(stage: Stage) -> str:
    """Detached CAdES and enveloped XAdES, both B-T; an export declaration is refused."""
    service, card = stage.signed_in("operator"), stage.cards["operator"]
    document = import_declaration()
    stage.keep("declaration.xml", document)
    cades = service.sign(card, document, SignatureFormat.CADES)
    stage.keep("declaration.p7s", cades.signature)
    xades = service.sign(card, document, SignatureFormat.XADES)
    stage.keep("declaration.xades.xml", xades.signature)
    stage.facts["signed"] = (cades.id, xades.id)
    words = expect_refusal(
        "right.missing", lambda: service.sign(card, export_declaration(), SignatureFormat.CADES)
    )
    root, issuing = stage.file("root.pem"), stage.file("issuing.pem")
    strangers.openssl_verifies_cades(
        stage.file("declaration.p7s"), stage.file("declaration.xml"), root
    )
    strangers.xmlsec1_verifies(stage.file("declaration.xades.xml"), root, issuing)
    return (
        "signed as CAdES (declaration.p7s) and XAdES (declaration.xades.xml), both timestamped;\n"
        "openssl cms and xmlsec1 accept them.\n"
        f"An export declaration was refused: {words}"
    )


def verify_declaration(stage: Stage) -> str:
    """Any platform asks for a report: JSON for programs, a page for people."""
    service = stage.anonymous()
    document = stage.file("declaration.xml").read_bytes()
    detached = service.verify(document, stage.file("declaration.p7s").read_bytes())
    enveloped = service.verify(stage.file("declaration.xades.xml").read_bytes())
    for report in (detached, enveloped):
        expect(report["finding"]["indication"] == "TOTAL-PASSED", json.dumps(report["finding"]))
    stage.keep("report-before.json", json.dumps(detached, ensure_ascii=False, indent=2))
    page = service.fetch(
        "POST",
        "/verify?lang=zh",
        files={
            "document": ("declaration.xml", document),
            "signature": ("declaration.p7s", stage.file("declaration.p7s").read_bytes()),
        },
        headers={"Accept": "text/html"},
    )
    stage.keep("report.html", page.text)
    signature = detached["signatures"][0]
    signer, time = signature["signer"], signature["time"]
    met = [condition["answer"] for condition in signature["article_13"]]
    return (
        f"TOTAL-PASSED for both; signer {signer['name']}, {signer['enterprise']['name']}, "
        f"rights {', '.join(signer['rights'])};\n"
        f"signed at {time['proven']}, proven by {time['proven_by']};\n"
        f"the four conditions of article 13: {', '.join(met)}."
    )


def stamp_file(stage: Stage) -> str:
    """The timestamp authority serves anybody: a request by openssl, an answer that it accepts."""
    document = stage.file("declaration.xml")
    query = strangers.openssl_timestamp_query(document)
    answer = stage.anonymous().fetch(
        "POST", "/tsa", data=query, headers={"Content-Type": "application/timestamp-query"}
    )
    stage.keep("timestamp.tsr", answer.content)
    strangers.openssl_verifies_timestamp(
        stage.file("timestamp.tsr"), document, stage.file("root.pem"), stage.file("issuing.pem")
    )
    return "openssl ts accepts an RFC 3161 timestamp over the declaration (timestamp.tsr)."
