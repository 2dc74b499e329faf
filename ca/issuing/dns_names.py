"""The DNS names of a server's certificate, and the refusal of what no server is called."""

from kernel.refusals import Unprocessable
from policies.dns_names import MOST_NAMES, fault_of_dns_name
from policies.profile import CertificateProfile


def require_dns_names(
    profile: CertificateProfile, names: tuple[str, ...], common_name: str | None
) -> None:
    """Raises Unprocessable `dns-name.not-allowed`, `dns-name.missing` (none, too many, or the
    common name is not among them), `dns-name.repeated`, `dns-name.malformed`."""
    if profile.alternative_names == "none":
        if names:
            raise Unprocessable("dns-name.not-allowed", "the profile has no DNS names")
        return
    if not 1 <= len(names) <= MOST_NAMES or common_name not in names:
        raise Unprocessable(
            "dns-name.missing",
            "a server has 1 to {most} names, its common name among them",
            most=MOST_NAMES,
        )
    if len(set(names)) != len(names):
        raise Unprocessable("dns-name.repeated", "a name stands twice")
    for name in names:
        fault = fault_of_dns_name(name)
        if fault is not None:
            raise Unprocessable("dns-name.malformed", fault.sentence, **fault.facts, name=name[:80])
