"""`portseal card sign`, `card sign-bundle` and `extend`, as a holder types them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import zxingcpp

from policies.signature_policy import known_signature_policies
from portseal.demo.signing_steps import import_declaration
from signing_service.formats.asic import whole as asic
from signing_service.formats.cades import whole as cades
from signing_service.formats.claims import PROOF_OF_APPROVAL
from signing_service.formats.recognition import read_signatures
from signing_service.validation.evidence import Packaging, SignatureLevel
from tests.portseal.cli.terminal import Outcome, converse, run
from tests.portseal.service import RunningService
from tests.signing_service.formats.pades.pdf.samples import sample
from tests.signing_service.formats.pades.test_pades_seal import drawn

PIN = "TEST_PIN"


class Desk:
    """A holder with a USB key of the running service, in a directory."""

    def __init__(self, service: RunningService, directory: Path) -> None:
        self.service = service
        self.directory = directory
        self.declaration = directory / "declaration.xml"
        self.declaration.write_bytes(import_declaration())
        self.contract = directory / "contract.pdf"
        self.contract.write_bytes(sample())

    def run(self, *arguments: str | Path, label: str = "operator") -> Outcome:
        environment = {**os.environ, "PORTSEAL_URL": self.service.origin}
        environment[PIN] = self.service.stage.usb_keys.keys[label].pin
        return run([*map(str, arguments), "--token", label, "--pin-env", PIN], environment)

    def sign(self, document: Path, *options: str | Path, label: str = "operator") -> Path:
        output = self.directory / f"signed-{len(list(self.directory.iterdir()))}"
        done = self.run("card", "sign", document, *options, "--output", output, label=label)
        assert done.code == 0, done.said
        return output

    def verify(self, *files: Path) -> dict[str, Any]:
        environment = {**os.environ, "PORTSEAL_URL": self.service.origin}
        done = run(["verify", *map(str, files), "--json"], environment)
        assert done.code == 0, done.said
        report: dict[str, Any] = json.loads(done.out)
        return report


@pytest.fixture
def desk(service: RunningService, tmp_path: Path) -> Desk:
    return Desk(service, tmp_path)


def test_what_the_signer_says_beside_the_document(desk: Desk) -> None:
    (policy,) = known_signature_policies()
    options = ("--commitment", "proof-of-approval", "--role", "报关员", "--policy", policy)
    signed = desk.sign(desk.declaration, "--format", "jades", *options)
    (evidence,) = read_signatures(signed.read_bytes(), None)
    assert (evidence.commitment, evidence.roles) == (PROOF_OF_APPROVAL, ("报关员",))
    assert evidence.policy == policy


def test_several_documents_and_a_second_signer_in_one_container(desk: Desk) -> None:
    kind = ("--format", "asic-e", "--inner", "xades")
    first = desk.sign(desk.declaration, *kind, "--with", desk.contract)
    assert list(asic.Container.read(first.read_bytes()).data_objects) == [
        "declaration.xml",
        "contract.pdf",
    ]
    second = desk.service.second_operator()
    both = desk.sign(first, *kind, "--act", "parallel", label=second)
    assert len(read_signatures(both.read_bytes(), None)) == 2


def test_a_counter_signature_beside_its_document(desk: Desk) -> None:
    first = desk.sign(desk.declaration)
    again = desk.sign(desk.declaration, "--act", "counter", "--signature", first)
    (evidence,) = read_signatures(desk.declaration.read_bytes(), again.read_bytes())
    assert len(evidence.counter_signatures) == 1
    report = desk.verify(desk.declaration, again)
    (signature,) = report["signatures"]
    assert signature["counter_signatures"][0]["finding"]["indication"] == "TOTAL-PASSED"


def test_a_visible_seal_on_a_contract(desk: Desk) -> None:
    options = ("--format", "pades", "--seal", "60,60,360,200", "--seal-line", "电子签章")
    signed = desk.sign(desk.contract, *options, "--reason", "签订")
    (code,) = zxingcpp.read_barcodes(drawn(desk.directory, signed.read_bytes()))
    assert code.text.startswith(f"{desk.service.origin}/verify/signatures/")


def test_a_strange_combination_is_refused_with_its_reason(desk: Desk) -> None:
    done = desk.run(
        "card",
        "sign",
        desk.declaration,
        "--packaging",
        "enveloped",
        "--output",
        desk.directory / "x",
    )
    assert (done.code, "[packaging.unfit]" in done.err) == (1, True)


def test_a_signature_made_elsewhere_is_raised(desk: Desk) -> None:
    local = desk.sign(desk.declaration, "--local", "--level", "B-B")
    (before,) = cades.read(local.read_bytes(), desk.declaration.read_bytes())
    assert before.level is SignatureLevel.B_B
    raised = desk.directory / "raised.p7s"
    done = desk.run("extend", desk.declaration, local, "--level", "B-LTA", "--output", raised)
    assert done.code == 0, done.said
    (after,) = cades.read(raised.read_bytes(), desk.declaration.read_bytes())
    assert after.level is SignatureLevel.B_LTA
    desk.verify(desk.declaration, raised)


def test_a_document_that_is_not_sent_is_signed_detached(desk: Desk) -> None:
    signed = desk.sign(desk.contract, "--local", "--format", "xades")
    (evidence,) = read_signatures(desk.contract.read_bytes(), signed.read_bytes())
    assert (evidence.packaging, evidence.level) == (Packaging.DETACHED, SignatureLevel.B_T)
    desk.verify(desk.contract, signed)


def test_one_pin_signs_for_four_agencies(desk: Desk) -> None:
    """The PIN is asked for once; each agency then verifies its part alone."""
    agencies = ("海关", "税务", "边检", "海事")
    files = []
    for number, agency in enumerate(agencies):
        file = desk.directory / f"{number}.xml"
        file.write_bytes(import_declaration() + b"\n" * number)
        files.append((agency, file))
    output = desk.directory / "proofs"
    parts = [f"{agency}={file}" for agency, file in files]
    pin = desk.service.stage.usb_keys.keys["operator"].pin
    done = converse(
        ["card", "sign-bundle", *parts, "--token", "operator", "--output", str(output)],
        {**os.environ, "PORTSEAL_URL": desk.service.origin},
        [("PIN of operator", pin)],
    )
    assert done.code == 0, done.out
    assert done.out.count("PIN of") == 1
    proofs = sorted(output.iterdir())
    assert len(proofs) == len(agencies)
    desk.verify(files[3][1], proofs[3])
    environment = {**os.environ, "PORTSEAL_URL": desk.service.origin}
    foreign = run(["verify", str(files[0][1]), str(proofs[1])], environment)
    assert foreign.code == 5
