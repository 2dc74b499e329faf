"""The report: a stable JSON shape, words for every finding, and honest answers to article 13."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from kernel.refusals import Malformed
from signing_service import validation
from signing_service.ports import Holder
from signing_service.validation import report as report_module
from signing_service.validation.article13 import Answer, Condition, answer_article_13
from signing_service.validation.assembly import report_signature
from signing_service.validation.evidence import SignatureEvidence
from signing_service.validation.report import read_report, report_schema
from signing_service.validation.words import WORDS
from tests.signing_service.validation.scenery import DAY, World

SCHEMA = Path(report_module.__file__).with_name("report.schema.json")


@pytest.fixture
def world() -> World:
    return World()


def conditions(world: World, evidence: SignatureEvidence) -> tuple[Condition, ...]:
    holder = world.registry.by_certificate(world.card.certificate, world.clock.now())
    return answer_article_13(world.judge(evidence), holder)


def answers(found: tuple[Condition, ...]) -> list[str]:
    return [condition.answer.value for condition in found]


# -- JSON ------------------------------------------------------------------------------------------


def test_the_schema_file_is_the_reports_schema() -> None:
    assert json.loads(SCHEMA.read_text("utf-8")) == report_schema()


def test_a_report_survives_its_json(world: World) -> None:
    world.registry.enrol(world.card)
    text = json.dumps(world.verification().verify(b"no signature", None).to_json())
    unreadable = read_report(text)
    assert unreadable.finding.reason == "format.unreadable"
    assert not unreadable.passed
    with pytest.raises(Malformed):
        read_report(text.replace('"finding"', '"found"'))


def test_the_json_names_what_the_schema_requires(world: World) -> None:
    plain = world.verification().verify(b"no signature", None).to_json()
    schema = json.loads(SCHEMA.read_text("utf-8"))
    assert set(schema["required"]) <= set(plain)
    assert set(plain) == set(schema["properties"])
    assert plain["finding"]["indication"] == "TOTAL-FAILED"
    assert plain["finding"]["sub_indication"] == "FORMAT_FAILURE"
    assert plain["validated_at"].endswith("Z")


# -- words -----------------------------------------------------------------------------------------


def test_every_reason_in_the_engine_has_words() -> None:
    room = Path(validation.__path__[0])
    sources = [*room.glob("*.py"), room.parent / "verification.py"]
    code = "".join(s.read_text("utf-8") for s in sources if s.name != "words.py")
    families = "format|certificate|policy|path|revocation|crypto|data|signature|time|timestamp"
    used = set(re.findall(rf'"((?:{families})\.[a-z0-9-]+)"', code))
    refusals = {"signature.missing", "signature.too-many"}
    assert used - refusals == set(WORDS) - {"passed"}


def test_both_languages_tell_the_same_facts() -> None:
    for reason, words in WORDS.items():
        assert words.why_zh, reason
        for english, chinese in ((words.why_en, words.why_zh), (words.help_en, words.help_zh)):
            fields = [set(re.findall(r"\{(\w+?)(?:_zh)?\}", text)) for text in (english, chinese)]
            assert fields[0] == fields[1], reason


# -- article 13 ------------------------------------------------------------------------------------


def test_all_four_hold_for_a_card_of_the_registry_in_force(world: World) -> None:
    world.registry.enrol(world.card)
    found = conditions(world, world.stamped())
    assert answers(found) == ["yes"] * 4
    assert all(condition.evidence for condition in found)
    # The honest part: what software cannot see is said even when all is well.
    assert "PIN" in found[1].limits[0].zh


def test_a_policy_without_a_witness_proves_no_key_on_a_token(world: World) -> None:
    """The card of the scenery is a software key, as anybody with an activation code can enrol."""
    world.registry.enrol(world.card, key_witness=None)
    found = conditions(world, world.stamped())
    assert answers(found) == ["not-proven", "not-proven", "yes", "yes"]
    for condition in found[:2]:
        assert any("without a witness" in limit.en for limit in condition.limits)


def test_a_policy_without_a_token_proves_no_exclusive_key(world: World) -> None:
    card = world.issuing.card(policies=("1.2.3",))
    world.card = card
    world.registry.enrol(card)
    assert answers(conditions(world, world.signed(card))) == [
        "not-proven",
        "not-proven",
        "yes",
        "yes",
    ]


def test_a_token_policy_counts_only_for_the_authority_that_vouches(world: World) -> None:
    world.registry.enrol(world.card)
    world.authority = replace(world.authority, token_policies=frozenset())
    assert answers(conditions(world, world.signed()))[:2] == ["not-proven", "not-proven"]


def test_a_holder_who_is_not_in_the_registry_is_not_proven(world: World) -> None:
    found = conditions(world, world.signed())
    assert answers(found) == ["not-proven", "not-proven", "yes", "yes"]


def test_control_is_not_proven_once_a_loss_came_first(world: World) -> None:
    world.registry.enrol(world.card)
    world.revoke(world.card)
    world.clock.advance(DAY)
    assert answers(conditions(world, world.stamped()))[1] == "not-proven"


def test_a_changed_content_and_a_changed_signature_are_told_apart(world: World) -> None:
    world.registry.enrol(world.card)
    evidence = world.signed()
    changed = evidence.references[0]._replace(actual=b"\0" * 32)
    content = answer_article_13(world.judge(evidence._replace(references=(changed,))), None)
    assert answers(content)[2:] == ["yes", "no"]
    value = evidence._replace(signature_value=world.card.key.sign(b"other"))
    signature = answer_article_13(world.judge(value), None)
    assert answers(signature)[2:] == ["no", "not-proven"]
    both = evidence._replace(references=(changed,), signature_value=world.card.key.sign(b"other"))
    assert answers(answer_article_13(world.judge(both), None))[2:] == ["no", "no"]


def test_a_part_of_a_document_proves_nothing_of_the_whole(world: World) -> None:
    found = conditions(world, world.signed(covers_document=False))
    assert found[3].answer is Answer.NOT_PROVEN


def test_a_signature_without_certificate_is_reported_without_signer(world: World) -> None:
    evidence = world.signed(signing_certificate=None)
    holder: Holder | None = None
    report = report_signature(world.judge(evidence), holder)
    assert report.signer is None
    assert report.path == ()
    assert answers(report.article_13) == ["not-proven"] * 4
