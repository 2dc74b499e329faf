"""Who holds a ceremony, who is told of it, and what comes of it."""

from collections.abc import Callable
from dataclasses import dataclass

from ca.ceremonies.labels import ISSUING, OCSP, ROOT, ROOT_OCSP, TSA
from kernel.asn1.certificate import Certificate


@dataclass(frozen=True)
class Conduct:
    """Who holds the ceremony, and for whom."""

    organization: str
    """Whose authority it is: O of every certificate made here."""
    conducted_by: str
    """For the transcript and the journal."""


@dataclass(frozen=True)
class CeremonyOutcome:
    certificates: dict[str, Certificate]
    """By name, in the order of issue."""
    transcript: str

    @property
    def root(self) -> Certificate:
        return self.certificates[ROOT]

    @property
    def issuing(self) -> Certificate:
        return self.certificates[ISSUING]

    @property
    def ocsp(self) -> Certificate:
        return self.certificates[OCSP]

    @property
    def tsa(self) -> Certificate:
        return self.certificates[TSA]

    @property
    def root_ocsp(self) -> Certificate:
        return self.certificates[ROOT_OCSP]


@dataclass(frozen=True)
class Watchers:
    """Who is told while the ceremony goes on."""

    progress: Callable[[str], None] = lambda line: None
    """Each line of the transcript, as soon as the step is done."""
    certified: Callable[[str, Certificate], None] = lambda name, certificate: None
    """Each certificate, before the ceremony counts as finished."""
    secure: Callable[[], None] = lambda: None
    """Called when everything is made: backups, and the other tokens of a pool. The last line is
    told after it."""
    conclude: Callable[[], None] = lambda: None
    """Called when the last line is told: the transcript is signed here. The
    ceremony counts as finished after it."""
