"""What a ceremony leaves in a directory: certificates, the transcript, its signature and time."""

import os
from collections.abc import Callable
from pathlib import Path

from kernel.asn1.certificate import Certificate
from kernel.refusals import Unavailable
from policies.ceremony_plan import CeremonyPlan, role_of

TRANSCRIPT, SIGNATURE, TIMESTAMP = "transcript.txt", "transcript.p7s", "transcript.tst"


class CeremonyDirectory:
    """Opened before any key is made; what stands in it already is continued, never emptied."""

    def __init__(self, directory: Path, plan: CeremonyPlan) -> None:
        """Raises Unavailable `output.unwritable`."""
        self._directory = directory
        authorities = (each.name for each in plan.certificate if role_of(each.name))
        self._wanted = {name for name in authorities if not name.endswith("-ocsp")}
        links = (each.name for each in plan.certificate if each.key is not None)
        self._wanted |= set(links)
        files = [*(f"{name}.pem" for name in sorted(self._wanted)), TRANSCRIPT]
        self._files = [directory / name for name in (*files, SIGNATURE, TIMESTAMP)]
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for file in self._files:
                file.open("ab").close()
            self._transcript = (directory / TRANSCRIPT).open("a", encoding="utf-8")
        except OSError as error:
            raise Unavailable(
                "output.unwritable",
                "nothing was made: --output cannot be written",
                path=str(directory),
            ) from error

    def write_line(self, line: str) -> None:
        """One line of the transcript, on the disk when this returns."""
        self._transcript.write(line + "\n")
        self._transcript.flush()
        os.fsync(self._transcript.fileno())

    def write_certificate(self, name: str, certificate: Certificate) -> None:
        if name in self._wanted:
            (self._directory / f"{name}.pem").write_text(certificate.pem)

    def seal_transcript(
        self, sign: Callable[[bytes], bytes], stamp: Callable[[bytes], bytes]
    ) -> None:
        """Sign the whole transcript, of earlier attempts too, and timestamp the signature."""
        content = (self._directory / TRANSCRIPT).read_bytes()
        (self._directory / SIGNATURE).write_bytes(sign(content))
        (self._directory / TIMESTAMP).write_bytes(stamp(content))

    def close(self) -> None:
        """Leave no empty file."""
        self._transcript.close()
        for file in self._files:
            if file.exists() and not file.stat().st_size:
                file.unlink()
