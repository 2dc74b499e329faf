"""What recurs is read once; what a stranger makes large is not kept."""

from signing_service.formats.remembering import remembered


def test_small_things_are_remembered_and_large_ones_are_not() -> None:
    calls: list[bytes] = []

    @remembered(entries=2, max_size=4)
    def read(name: str, data: bytes) -> str:
        """Its own words."""
        calls.append(data)
        return name

    for data in (b"1234", b"1234", b"12345", b"12345"):
        assert read("x", data) == "x"

    assert calls == [b"1234", b"12345", b"12345"]
    assert read.__doc__ == "Its own words."
