"""The words of notices: whole, in both languages, and short enough."""

import pytest

from ra_portal.notices.templates import LONGEST_SMS, load_templates

VALUES = {
    "act_en": "report it lost",
    "act_zh": "挂失",
    "card": "OP-2026-7QK4ZP2M",
    "count": "3",
    "code": "12345678",
    "date": "2026-12-29",
    "days": "30",
    "first_en": "File e-commerce lists",
    "first_zh": "跨境电商清单申报",
    "half": "ABCD-EFGH-JKLM-NPQR",
    "hours": "24",
    "minutes": "10",
    "origin": "https://id.example",
    "page": "/enterprise/data",
    "part": "1",
    "reference": "DC-2026-7QK4ZP2M",
    "references": "AP-2026-7QK4ZP2M, AP-2026-8QK4ZP2M",
    "rights_en": "E-001 Declare imports (2026-12-29)",
    "rights_zh": "E-001 进口报关（2026-12-29）",
    "time": "2026-11-29 09:00",
}


@pytest.mark.parametrize("name", sorted(load_templates()))
def test_every_template_is_filled_in_both_languages(name: str) -> None:
    template = load_templates()[name]
    assert template.values <= VALUES.keys()
    mail = template.mail(VALUES)
    assert "{" not in mail
    assert any(VALUES[name] in mail for name in ("card", "reference", "references", "rights_en"))
    assert " / " in template.subject(VALUES)
    for language in ("zh", "en"):
        assert len(template.sms(VALUES, language)) <= LONGEST_SMS
