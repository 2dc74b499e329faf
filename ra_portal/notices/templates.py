"""The words of notices, as data: `templates/*.toml`, Chinese and English.

A file holds `subject_zh`, `subject_en`, `text_zh`, `text_en` and `sms_zh`, `sms_en`, with `{names}`
for values. Mail carries both languages, Chinese first; a text message one.
"""

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_DIRECTORY = Path(__file__).parent / "templates"
_FIELDS = frozenset({"subject_zh", "subject_en", "text_zh", "text_en", "sms_zh", "sms_en"})
LONGEST_SMS = 200
"""Characters, values included: two parts of a message in Chinese at most, with room."""


@dataclass(frozen=True)
class Template:
    name: str
    texts: Mapping[str, str]

    @property
    def values(self) -> frozenset[str]:
        """The names that its texts use."""
        found = (
            name
            for text in self.texts.values()
            for _, name, _, _ in string.Formatter().parse(text)
            if name is not None
        )
        return frozenset(found)

    def subject(self, values: Mapping[str, str]) -> str:
        return f"{self._filled('subject_zh', values)} / {self._filled('subject_en', values)}"

    def mail(self, values: Mapping[str, str]) -> str:
        zh, en = self._filled("text_zh", values), self._filled("text_en", values)
        return f"{zh.strip()}\n\n{en.strip()}\n"

    def sms(self, values: Mapping[str, str], language: str) -> str:
        return self._filled(f"sms_{language}", values).strip()

    def _filled(self, field: str, values: Mapping[str, str]) -> str:
        return self.texts[field].format_map(dict(values))


@cache
def load_templates() -> Mapping[str, Template]:
    """Every template by name. Raises ValueError naming the file at fault."""
    found = {}
    for path in sorted(_DIRECTORY.glob("*.toml")):
        texts = tomllib.loads(path.read_text(encoding="utf-8"))
        if texts.keys() != _FIELDS or not all(isinstance(t, str) for t in texts.values()):
            raise ValueError(f"{path.name}: holds {sorted(texts)}, not {sorted(_FIELDS)}")
        found[path.stem] = Template(path.stem, texts)
    return found
