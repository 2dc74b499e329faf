"""What the lints find in an answer or a list is never signed, and is journalled."""

from datetime import timedelta

import pytest
from cryptography.x509 import ocsp

from ca.crl.issuing import CrlIssuer
from ca.linting.answers import RefusedAnswers, pkilint_answer_findings
from ca.ocsp.responder import AnswerPlan
from kernel.refusals import Unprocessable
from records.journal import records
from tests.ca.ocsp.test_ocsp import request_for, responder_of
from tests.ca.world import World


def test_our_answers_satisfy_pkilint(world: World) -> None:
    responder = responder_of(world)
    serial = world.issue().serial
    for request in (
        request_for(world, serial),
        request_for(world, serial, nonce=b"n" * 32),
        request_for(world, 4711),
    ):
        assert pkilint_answer_findings(responder.answer(request).der) == ()


def test_an_answer_with_a_fault_is_not_signed(world: World) -> None:
    """Promised for longer than the practice statement allows."""
    responder = responder_of(
        world,
        plan=AnswerPlan(timedelta(days=8)),
        refused=RefusedAnswers(world.database, world.journal, "issuing"),
    )
    serial = world.issue().serial
    for _ in range(3):
        answer = ocsp.load_der_ocsp_response(responder.answer(request_for(world, serial)).der)
        assert answer.response_status is ocsp.OCSPResponseStatus.INTERNAL_ERROR
    with world.database.reading() as connection:
        told = [each for each in records(connection, "issuing") if each.event == "ocsp.refused"]
    assert len(told) == 1, "once for each kind of fault: anybody may ask"
    assert "ocsp-times" in told[0].facts


def test_a_list_with_a_fault_is_not_signed(world: World) -> None:
    pair = world.authorities.issuing_key
    issuer = CrlIssuer(
        "issuing", pair.certificate, pair.key, world.database, world.journal, world.outbox,
        world.clock, timedelta(days=400),
    )  # fmt: skip
    with pytest.raises(Unprocessable) as refusal:
        issuer.issue()
    assert (refusal.value.code, refusal.value.facts["lint"]) == ("lint.failed", "crl-times")
    with world.database.reading() as connection:
        told = records(connection, "issuing")
    assert [each.event for each in told] == ["crl.intended", "crl.refused"]
