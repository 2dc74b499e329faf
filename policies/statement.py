"""The certificate policy and practice statement, in the two languages in which it is published."""

from pathlib import Path

_FILES = {"zh": "cp-cps.zh.md", "en": "cp-cps.md"}
LANGUAGES = tuple(_FILES)


def statement(language: str) -> str:
    """The text, Markdown. `language`: one of LANGUAGES."""
    return Path(__file__).with_name(_FILES[language]).read_text("utf-8")
