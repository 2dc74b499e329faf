"""The practice statement is served where certificates say that it is."""

import requests

from kernel.asn1.certificate import Certificate
from policies.statement import statement
from tests.portseal.service import RunningService


def test_the_address_in_the_certificates_leads_to_the_statement(service: RunningService) -> None:
    issued = requests.get(f"{service.origin}/certs/issuing.cer", timeout=30)
    (address,) = set(Certificate.parse(issued.content).policy_statements)
    english = requests.get(address, headers={"Accept-Language": "en"}, timeout=30)
    assert english.status_code == 200
    assert '<h4 id="4.9.7">4.9.7 CRL issuance frequency' in english.text
    assert "<td><code>status.crl_lifetime_hours</code></td>" in english.text
    assert "1.3.6.1.4.1.32473" in english.text
    chinese = requests.get(address, timeout=30)
    assert '<h4 id="4.9.7">4.9.7 CRL 发布频率' in chinese.text


def test_the_text_itself_can_be_fetched(service: RunningService) -> None:
    for language in ("zh", "en"):
        found = requests.get(f"{service.origin}/cps/{language}.md", timeout=30)
        assert found.headers["Content-Type"] == "text/markdown; charset=utf-8"
        assert found.content.decode() == statement(language)
    assert requests.get(f"{service.origin}/cps/fr.md", timeout=30).status_code == 404
