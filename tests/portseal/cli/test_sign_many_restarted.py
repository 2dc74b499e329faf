"""Ten thousand declarations in one job whose service is killed on the way and comes back."""

from pathlib import Path

import pytest

from portseal.demo.signing_steps import import_declaration
from tests.portseal.cli.test_sign_batch import run_through_a_killed_service
from tests.portseal.service import RunningService, Twin

COUNT = 10_000


@pytest.mark.long
def test_ten_thousand_declarations_are_signed_through_a_killed_service(
    service: RunningService, twin: Twin, tmp_path: Path
) -> None:
    directory, output = tmp_path / "in", tmp_path / "out"
    directory.mkdir()
    declaration = import_declaration()
    for number in range(COUNT):
        (directory / f"{number:05}.xml").write_bytes(declaration + b" " * (number + 1) + b"\n")
    twin.serve()
    run_through_a_killed_service(service, twin, directory, output, COUNT // 2, COUNT)
    assert twin.site.run_json("journal", "verify")["journal"] == "intact"
