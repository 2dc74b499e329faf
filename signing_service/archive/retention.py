"""How long signatures are kept (Electronic Signature Law, article 24)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kernel.asn1.certificate import Certificate
from kernel.refusals import Unprocessable

LEGAL_MINIMUM_YEARS = 5


@dataclass(frozen=True)
class Retention:
    """So many years after the signer's certificate expired; never fewer than the law says."""

    years: int = 10

    def __post_init__(self) -> None:
        if self.years < LEGAL_MINIMUM_YEARS:
            raise Unprocessable(
                "archive.retention-too-short",
                "the law asks for at least {least} years",
                years=self.years,
                least=LEGAL_MINIMUM_YEARS,
            )

    def until(self, certificate: Certificate) -> datetime:
        """The end of the retention of a signature under this certificate."""
        end = certificate.not_after
        try:
            return end.replace(year=end.year + self.years)
        except ValueError:  # 29 February
            return (end + timedelta(days=1)).replace(year=end.year + self.years)
