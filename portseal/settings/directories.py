"""Settings of the LDAP directories: ours, that is published to, and the registry, that is read."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import SecretStr, model_validator

from portseal.settings.table import SettingsTable, is_loopback


class DirectorySettings(SettingsTable):
    """The LDAP directory that certificates and CRLs are published to."""

    url: str
    """`ldap://host:389`, `ldaps://host:636` or `ldapi://%2Frun%2Fslapd%2Fldapi`."""
    bind_dn: str | None = None
    """None: the directory knows us by certificate or socket (SASL EXTERNAL)."""
    password: SecretStr | None = None
    base: str
    """Suffix under which entries are made."""
    starttls: bool = False
    """On `ldap://`: TLS before anything else; required unless the directory is on loopback."""
    ca_file: Path | None = None
    """Who vouches for the directory's certificate; default: the system's authorities."""
    certificate_file: Path | None = None
    key_file: Path | None = None
    """Our own certificate, for SASL EXTERNAL over TLS."""

    @model_validator(mode="after")
    def _is_protected(self) -> Self:
        _require_protected(self.url, self.starttls, ("ldap", "ldaps", "ldapi"))
        if (self.bind_dn is None) != (self.password is None):
            raise ValueError("bind_dn and password stand together, or neither (SASL EXTERNAL)")
        if (
            self.bind_dn is None
            and urlsplit(self.url).scheme != "ldapi"
            and self.certificate_file is None
        ):
            raise ValueError("certificate_file: SASL EXTERNAL over TLS needs our own certificate")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file stand together")
        return self


class RegistryAttributes(SettingsTable):
    """What the registry's directory calls things."""

    uscc: str = "serialNumber"
    name: str = "o"
    customs_code: str = "businessCategory"
    legal_representative: str = "cn"
    region: str = "l"
    status: str = "description"


class RegistrySettings(SettingsTable):
    """A directory of enterprises that applications are compared with; it is only read."""

    url: str
    """`ldap://host:389`, `ldaps://host:636`."""
    base: str
    bind_dn: str | None = None
    """None: anybody may read it."""
    password: SecretStr | None = None
    starttls: bool = False
    """On `ldap://`: TLS before anything else; required unless the directory is on loopback."""
    ca_file: Path | None = None
    attributes: RegistryAttributes = RegistryAttributes()

    @model_validator(mode="after")
    def _is_protected(self) -> Self:
        _require_protected(self.url, self.starttls, ("ldap", "ldaps"))
        if (self.bind_dn is None) != (self.password is None):
            raise ValueError("bind_dn and password stand together, or neither")
        return self


def _require_protected(url: str, starttls: bool, schemes: tuple[str, ...]) -> None:
    """Raises ValueError unless the directory is spoken to over TLS, or is on this machine."""
    address = urlsplit(url)
    if address.scheme not in schemes:
        raise ValueError(f"url: {', '.join(f'{scheme}://' for scheme in schemes)}")
    if address.scheme == "ldap" and not (is_loopback(address.hostname) or starttls):
        raise ValueError("starttls: a directory that is not on loopback is spoken to over TLS")
    if address.scheme == "ldaps" and starttls:
        raise ValueError("starttls: ldaps:// begins with TLS already")
