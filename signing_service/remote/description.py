"""What the service says of itself (CSC API 2.0.0.2, 11.1)."""

from kernel.algorithms import SUITES
from signing_service.remote.algorithms import signs_digests
from signing_service.remote.documents import EARLIER_LEVELS, ENVELOPES, LEVELS
from signing_service.remote.services import RemoteServices

SPECIFICATION = "2.0.0.2"
METHODS = (
    "oauth2/authorize",
    "oauth2/token",
    "info",
    "credentials/list",
    "credentials/info",
    "credentials/getChallenge",
    "credentials/authorize",
    "signatures/signHash",
    "signatures/signDoc",
    "signatures/timestamp",
)


def information(services: RemoteServices) -> dict[str, object]:
    """The members of an info answer."""
    origin = services.sso.settings.origin
    return {
        "specs": SPECIFICATION,
        "name": services.name,
        "logo": f"{origin}/static/logo.svg",
        "region": "CN",
        "lang": "zh-CN",
        "description": "Enterprise seals in the authority's token, used at a distance",
        "authType": ["oauth2code"],
        "oauth2": f"{origin}/csc/v2",
        "asynchronousOperationMode": False,
        "methods": list(METHODS),
        "validationInfo": True,
        "signAlgorithms": {
            "algos": list(
                dict.fromkeys(s.signature_oid for s in SUITES.values() if signs_digests(s))
            )
        },
        "signature_formats": {
            "formats": list(ENVELOPES),
            "envelope_properties": [list(each) for each in ENVELOPES.values()],
        },
        "conformance_levels": [*LEVELS, *EARLIER_LEVELS],
    }
