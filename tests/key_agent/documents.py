"""Documents that the tests show and sign, and what a window said of them."""

from pathlib import Path

from fpdf import FPDF

from tests.key_agent.human import Window

SAMPLES = Path(__file__).parents[1] / "samples"
DECLARATION = (SAMPLES / "dec-import.xml").read_bytes()
NONCE = "n" * 44


def small_pdf() -> bytes:
    document = FPDF()
    document.add_page()
    document.set_font("Helvetica")
    document.cell(text="Power of attorney")
    return bytes(document.output())


def pages_of(windows: list[Window]) -> list[str]:
    return [line for window in windows for line in window.lines]


def path_in(lines: list[str], word: str) -> Path:
    """A path that the windows tell, in as many lines as it takes."""
    start = next(i for i, line in enumerate(lines) if line.startswith(word))
    told = lines[start].removeprefix(word)
    for line in lines[start + 1 :]:
        if Path(told).suffix in (".txt", ".pdf", ".xml"):
            break
        told += line
    return Path(told)
