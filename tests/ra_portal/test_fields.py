"""Fields: what is wrong with each, whatever it is called."""

from kernel.refusals import Malformed, Unprocessable
from ra_portal.fields import InvalidFields


def test_a_field_may_be_called_as_the_refusals_own_parts_are() -> None:
    fault = Malformed("field.missing", "this field must be filled in")
    refused = InvalidFields({"code": fault, "detail": fault, "self": fault})
    assert refused.code == "fields.invalid"
    assert refused.facts == dict.fromkeys(("code", "detail", "self"), "field.missing")
    assert Unprocessable("a", "b", code="c").facts == {"code": "c"}
