"""Settings of the authority: what it issues under, its status answers, where it publishes."""

from typing import Annotated, Literal

from pydantic import Field

from policies.oids import PLACEHOLDER_ARC
from portseal.settings.table import OID, SettingsTable


class AuthoritySettings(SettingsTable):
    """Which of several authorities does what."""

    issuing: str | None = None
    """Name of the one that issues where no region has its own; default: the newest."""
    regions: dict[str, tuple[Annotated[str, Field(pattern=r"^\d{2,6}$")], ...]] = Field(
        default_factory=dict
    )
    """Regional authorities by name, each with the beginnings of its districts' codes (GB/T 2260):
    `regional-ningbo = ["3302"]`. They stand in the third to eighth character of an enterprise's
    unified social credit code."""


class PolicySettings(SettingsTable):
    """What may be issued and accepted."""

    arc: Annotated[str, Field(pattern=OID)] = PLACEHOLDER_ARC
    """The operator's own object identifier, below which the certificate policies stand. The
    default is the number for documentation (RFC 5612) and must be replaced in earnest."""
    contact: Annotated[str, Field(max_length=200)] = ""
    """Whom to write to about certificates: stands on the page of the practice statement."""
    signature_policy: str = "declaration"
    """A file of `policies/signature_policies/`."""


class StatusSettings(SettingsTable):
    base_url: str | None = None
    """Where certificates say that OCSP, CRLs and issuers are found: `http://status.example`,
    plain http. Default: the web origin, where that is http."""
    crl_lifetime_hours: Annotated[int, Field(ge=1, le=240)] = 168
    """From thisUpdate to nextUpdate; when half of it is over a new CRL is made in any case."""
    root_crl_lifetime_days: Annotated[int, Field(ge=1, le=366)] = 190
    """Of a root whose token is its own: root sessions must be closer together than this."""
    crl_pause_seconds: Annotated[int, Field(ge=0, le=86_400)] = 10
    """After a revocation the worker makes a new CRL, but not more often than this."""
    crl_complete_pause_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0
    """A change is told by a delta list alone until the complete list is this old; 0: by both."""
    ocsp_lifetime_minutes: Annotated[int, Field(ge=1, le=1440)] = 10
    """Of an OCSP answer that is signed when it is asked for."""
    ocsp_ahead: Literal["off", "recent", "all"] = "recent"
    """Which answers the worker signs ahead: what was asked for in the last day, or all."""
    ocsp_ahead_hours: Annotated[int, Field(ge=1, le=168)] = 12
    """Lifetime of those; a revocation shows at once all the same."""
