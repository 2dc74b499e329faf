"""What pyproject.toml cannot say: a wheel holds the catalogues compiled, for git holds the .po."""

from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithCatalogues(build_py):
    """An editable installation reads the checkout, where scripts/setup.sh compiles them."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for po in Path(self.build_lib).glob("*/translations/*/LC_MESSAGES/*.po"):
            with po.open("rb") as source, po.with_suffix(".mo").open("wb") as target:
                write_mo(target, read_po(source, locale=po.parts[-3]))


setup(cmdclass={"build_py": BuildWithCatalogues})
