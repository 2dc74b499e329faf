"""One entry for several agencies, from a page: one PIN, one signature, a proof for each.

The running service in Chromium, the real agent, a real token.
"""

import base64
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

from tests.key_agent.holder import accepted, pins
from tests.key_agent.running import RunningAgent
from tests.portseal.service import RunningService

pytestmark = pytest.mark.browser

DECLARATION = (Path(__file__).parents[1] / "samples" / "dec-import.xml").read_text()
AGENCIES = ("海关总署", "国家税务总局", "海事局")
DOCUMENTS = [DECLARATION.replace("<GQty>40<", f"<GQty>{n}<") for n in (40, 41, 42)]
BEGIN = """async (parts) => {
  const { PortSealAgent } = await import("/agent/portseal-agent.js");
  const { AgencyBundle } = await import("/agent/portseal-journeys.js");
  const agent = PortSealAgent.of(document.querySelector("#agent-progress"));
  const octets = new TextEncoder();
  const steps = [];
  globalThis.steps = steps;
  globalThis.bundle = new AgencyBundle(
    agent,
    parts.map(([recipient, text]) => ({ recipient, document: octets.encode(text) })),
    { progress: (step) => steps.push(step) },
  );
}"""
RUN = """() => bundle.run().then(
  (receipts) => ({ receipts }),
  (error) => ({ error: error.code ?? error.name, isSigned: bundle.isSigned }),
)"""
COMPLETE = "**/api/v1/bundles/complete"


def begin(page: Page) -> None:
    page.evaluate(BEGIN, list(zip(AGENCIES, DOCUMENTS, strict=True)))


def test_one_pin_signs_for_every_agency(
    page: Page, operator: RunningAgent, service: RunningService
) -> None:
    begin(page)
    receipts = page.evaluate(RUN)["receipts"]

    assert page.evaluate("steps") == ["agent", "token", "prepare", "show", "complete", "done"]
    assert [each["recipient"] for each in receipts] == list(AGENCIES)
    assert pins(operator) == 1
    for document, receipt in zip(DOCUMENTS, receipts, strict=True):
        proof = base64.b64decode(receipt["proof"])
        report = service.anonymous().verify(document.encode(), proof)
        assert report["finding"]["indication"] == receipt["indication"] == "TOTAL-PASSED"


def test_an_answer_that_is_lost_on_its_way_signs_no_agencys_part_twice(
    page: Page, operator: RunningAgent, service: RunningService
) -> None:
    """The service completes it; the browser never hears so, and asks again."""
    lost: list[list[dict[str, str]]] = []

    def lose_the_first_four(route: Route) -> None:
        if len(lost) == 4:  # one more than a value may be tried
            route.continue_()
            return
        lost.append(route.fetch().json()["parts"])
        route.abort("connectionreset")

    before = accepted(service)
    page.route(COMPLETE, lose_the_first_four)
    begin(page)
    for _ in range(4):
        assert page.evaluate(RUN) == {"error": "service.unreachable", "isSigned": True}
    receipts = page.evaluate(RUN)["receipts"]

    assert lost == [receipts] * 4
    assert page.evaluate(RUN)["receipts"] == receipts
    assert pins(operator) == 1
    assert accepted(service) == before + len(AGENCIES)


def test_what_was_given_up_meanwhile_is_signed_anew(page: Page, operator: RunningAgent) -> None:
    def give_up_first(route: Route) -> None:
        asked = route.request.post_data_json
        assert asked is not None
        body = {"ids": [asked["id"]]}
        told = page.request.post(
            "/api/v1/signatures/abandon",
            data=body,
            headers={"Origin": page.url.removesuffix("/sign")},
        )
        assert told.json() == {"abandoned": 1}
        route.continue_()

    page.route(COMPLETE, give_up_first, times=1)
    begin(page)
    told = page.evaluate(RUN)
    assert told == {"error": "signature.not-prepared", "isSigned": False}
    assert len(page.evaluate(RUN)["receipts"]) == len(AGENCIES)
    assert pins(operator) == 2
