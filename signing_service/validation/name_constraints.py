"""Name constraints of authorities (RFC 5280, 4.2.1.10): directory names, DNS, e-mail,
URIs, addresses.

A form of name that an authority constrains and that is not understood here is refused wherever
a certificate below uses it, and so is a constraint that cannot be read.
"""

import ipaddress
import urllib.parse
from collections.abc import Iterable
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import NameOID

from kernel.asn1.certificate import Certificate
from signing_service.validation.names import folded, is_self_issued

OID = "2.5.29.30"
_UNDERSTOOD = (
    x509.DirectoryName,
    x509.DNSName,
    x509.RFC822Name,
    x509.IPAddress,
    x509.UniformResourceIdentifier,
)


def names_are_permitted(authority: Certificate, below: Iterable[Certificate]) -> bool:
    """Whether every name of the certificates below keeps to `authority`'s constraints.

    Self-issued certificates are exempt unless they are the end entity (RFC 5280, 6.1.3 b);
    `below` gives the end entity first.
    """
    if OID not in authority.critical_extensions and authority.extension(OID) is None:
        return True
    constraints = _constraints(authority.der)
    if constraints is None:
        return False
    return all(
        _is_permitted(name, constraints)
        for position, certificate in enumerate(below)
        if position == 0 or not is_self_issued(certificate)
        for name in _names(certificate.der)
    )


@lru_cache(maxsize=256)
def _constraints(der: bytes) -> x509.NameConstraints | None:
    try:
        extensions = x509.load_der_x509_certificate(der).extensions
        return extensions.get_extension_for_class(x509.NameConstraints).value
    except (ValueError, x509.ExtensionNotFound):
        return None


def _names(der: bytes) -> list[x509.GeneralName]:
    certificate = x509.load_der_x509_certificate(der)
    subject = certificate.subject
    names: list[x509.GeneralName] = [x509.DirectoryName(subject)] if list(subject) else []
    mail = subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)
    names += [x509.RFC822Name(str(attribute.value)) for attribute in mail]
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return names
    return names + list(alternative.value)


def _is_permitted(name: x509.GeneralName, constraints: x509.NameConstraints) -> bool:
    permitted = [one for one in constraints.permitted_subtrees or () if type(one) is type(name)]
    excluded = [one for one in constraints.excluded_subtrees or () if type(one) is type(name)]
    if not permitted and not excluded:
        return True
    if not isinstance(name, _UNDERSTOOD) or not _can_be_judged(name):
        return False
    if any(_is_within(name, subtree) for subtree in excluded):
        return False
    return not permitted or any(_is_within(name, subtree) for subtree in permitted)


def _is_within(name: x509.GeneralName, subtree: x509.GeneralName) -> bool:
    if isinstance(name, x509.DirectoryName) and isinstance(subtree, x509.DirectoryName):
        base, whole = list(subtree.value.rdns), list(name.value.rdns)
        return [_folded(r) for r in base] == [_folded(r) for r in whole[: len(base)]]
    if isinstance(name, x509.DNSName) and isinstance(subtree, x509.DNSName):
        host, domain = name.value.lower(), subtree.value.lower()
        return not domain or host == domain or host.endswith("." + domain.lstrip("."))
    if isinstance(name, x509.RFC822Name) and isinstance(subtree, x509.RFC822Name):
        address, wanted = name.value, subtree.value
        local, _, host = address.rpartition("@")
        if "@" in wanted:
            wanted_local, _, wanted_host = wanted.rpartition("@")
            return (local, host.lower()) == (wanted_local, wanted_host.lower())
        if wanted.startswith("."):
            return host.lower().endswith(wanted.lower())
        return not wanted or host.lower() == wanted.lower()
    if isinstance(name, x509.UniformResourceIdentifier) and isinstance(
        subtree, x509.UniformResourceIdentifier
    ):
        return _host_is_within(name.value, subtree.value.lower())
    if isinstance(name, x509.IPAddress) and isinstance(subtree, x509.IPAddress):
        address_, network = name.value, subtree.value
        if isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network):
            return address_ in network
    return False


def _can_be_judged(name: x509.GeneralName) -> bool:
    """A URI without a host keeps to no constraint (RFC 5280, 4.2.1.10)."""
    return not isinstance(name, x509.UniformResourceIdentifier) or bool(_host(name.value))


def _host(address: str) -> str:
    try:
        return (urllib.parse.urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


def _host_is_within(address: str, wanted: str) -> bool:
    host = _host(address)
    return host.endswith(wanted) if wanted.startswith(".") else host == wanted


def _folded(rdn: x509.RelativeDistinguishedName) -> frozenset[tuple[str, str]]:
    """An RDN for comparison: case and runs of spaces do not count (RFC 5280, 7.1)."""
    return frozenset(
        (attribute.oid.dotted_string, folded(str(attribute.value))) for attribute in rdn
    )
