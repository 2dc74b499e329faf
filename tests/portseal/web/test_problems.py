"""Who is answered with a page, and who with a problem (RFC 9457), whatever it says it prefers."""

import pytest
from flask import Flask

from portseal import problems

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/oidc/token", False),
        ("/oidc/par", False),
        ("/oidc/introspect", False),
        ("/oidc/revoke", False),
        ("/oidc/userinfo", False),
        ("/oidc/jwks", False),
        ("/oidc/authorize", True),
        ("/oidc/end-session", True),
        ("/api/v1/rights", False),
        ("/csc/v2/oauth2/token", False),
        ("/csc/v2/oauth2/authorize", True),
        ("/apply", True),
    ],
)
def test_programs_get_no_pages(path: str, page: bool) -> None:
    with Flask("portal").test_request_context(path, headers=BROWSER):
        assert problems.wants_page() is page
