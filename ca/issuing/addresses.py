"""Where relying parties find status and issuers, as certificates name it (RFC 5280, 4.2.1.13)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StatusAddresses:
    """Addresses below one base, for example `http://status.example.cn`.

    Plain http: the answers are signed, and https would need status of its own (RFC 5280, 8).
    """

    base_url: str

    def __post_init__(self) -> None:
        if not self.base_url.startswith("http://") or self.base_url.endswith("/"):
            raise ValueError("a status address begins with http:// and ends without a slash")

    @property
    def ocsp(self) -> str:
        return f"{self.base_url}/ocsp"

    @property
    def cps(self) -> str:
        """Of the certificate policy and practice statement (RFC 5280, 4.2.1.4: cPSuri)."""
        return f"{self.base_url}/cps"

    def crl(self, authority: str, shard: int = 0) -> str:
        """Of the complete list (0), or of one part of a partitioned one."""
        return f"{self.base_url}/crl/{authority}{f'/{shard}' if shard else ''}.crl"

    def delta_crl(self, authority: str, shard: int = 0) -> str:
        return f"{self.base_url}/crl/{authority}/{f'{shard}-' if shard else ''}delta.crl"

    def certificate(self, authority: str) -> str:
        return f"{self.base_url}/certs/{authority}.cer"
