"""The terms on which a holder is signed in. Units stand in the names."""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from urllib.parse import urlsplit

from signing_service.fetching import IpNetwork

SIGN_IN_ALGORITHMS = ("ES256", "ES384", "PS256", "RS256")
"""JOSE names that a card may prove itself with; the certificate's key decides which fits."""

SHORTEST_PROXY_SECRET = 32
"""Characters."""

_LOOPBACK: tuple[IpNetwork, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_ORIGIN = re.compile(r"https?://[a-z0-9.\-]{1,253}(:\d{1,5})?|http://\[::1\](:\d{1,5})?")


def is_loopback(host: str | None) -> bool:
    """Whether a URL's host can only be this machine."""
    if host is None:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class SsoSettings:
    """What the front hall decides. Raises ValueError for values that cannot be safe."""

    origin: str
    """Our own origin (RFC 6454 serialisation), also the OpenID issuer: `https://id.example.cn`."""
    accepted_policies: frozenset[str]
    """Certificate policies, dotted, of which a card's certificate must hold one."""
    hardware_policies: frozenset[str] = frozenset()
    """Those of the above that say: the key was made in a token that asks for a PIN."""
    portal_name: str = "PortSeal"
    home_path: str = "/"
    """Where a holder lands who asked for no page in particular."""
    algorithms: tuple[str, ...] = SIGN_IN_ALGORITHMS
    challenge_seconds: int = 300
    challenges_per_browser: int = 5
    status_max_age_seconds: int = 120
    """A revocation status older than this is refused."""
    status_skew_seconds: int = 900
    """How far a status may lie in the future, for clocks that differ."""
    session_idle_seconds: int = 30 * 60
    session_absolute_seconds: int = 8 * 60 * 60
    tls_session_seconds: int = 15 * 60
    """A session opened with a TLS client certificate: nobody watches over the key it lies in, so
    pulling it out shows at the next handshake only."""
    session_touch_seconds: int = 30
    """How often at most a session's last use is written down."""
    presence_seconds: int = 15
    """A session that a key agent watches over ends so long after the agent's last word."""
    code_seconds: int = 60
    pushed_request_seconds: int = 590
    """How long a pushed request waits: the holder may have to sign in meanwhile. Less than 600
    (FAPI 2.0, 5.3.2.2)."""
    refresh_token_seconds: int = 8 * 60 * 60
    cas_ticket_seconds: int = 30
    dpop_nonces: bool = True
    """Whether proofs of keys must hold a nonce that we gave (RFC 9449, 8)."""
    access_token_seconds: int = 300
    id_token_seconds: int = 300
    certificate_origin: str | None = None
    """Where a proxy asks browsers for TLS client certificates; None: that way is closed."""
    certificate_proxies: frozenset[str] = frozenset()
    """Addresses of the proxies whose word on a client certificate is taken."""
    proxy_secret: str = field(default="", repr=False)
    """Shared with those proxies; empty: nobody's word is taken."""
    platform_networks: tuple[IpNetwork, ...] = ()
    """Networks that are not public and in which platforms are told of the end of sessions."""
    agent_source: str | None = None
    """Origin on loopback at which the sign-in page's script looks for the key agent."""

    def __post_init__(self) -> None:
        if not _ORIGIN.fullmatch(self.origin):
            raise ValueError("the origin is scheme://host[:port] in lower case, without a path")
        if not self.is_secure and not is_loopback(urlsplit(self.origin).hostname):
            raise ValueError("sign-in needs https, but for loopback")
        if not self.accepted_policies:
            raise ValueError("name at least one certificate policy that may sign in")
        if not set(self.algorithms) <= set(SIGN_IN_ALGORITHMS):
            raise ValueError("an algorithm that no card may sign in with")
        if self.certificate_origin is not None:
            own, other = urlsplit(self.origin), urlsplit(self.certificate_origin)
            if not _ORIGIN.fullmatch(self.certificate_origin) or own.hostname != other.hostname:
                raise ValueError("certificates are asked for on the same host, at another port")
            if other.scheme != "https" or not self.is_secure:
                raise ValueError("client certificates need https")
            if len(self.proxy_secret) < SHORTEST_PROXY_SECRET:
                raise ValueError("client certificates need a secret shared with the proxy")

    @property
    def networks_of_platforms(self) -> tuple[IpNetwork, ...]:
        """`platform_networks`; a service that is itself on loopback reaches its neighbours."""
        here = _LOOPBACK if is_loopback(urlsplit(self.origin).hostname) else ()
        return (*self.platform_networks, *here)

    @property
    def is_secure(self) -> bool:
        return self.origin.startswith("https://")
