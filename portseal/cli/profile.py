"""`portseal profile`: what certificates hold, as people read it."""

from pathlib import Path

import click

from kernel.refusals import Unprocessable
from policies.catalogue import DIRECTORY, load_catalogue
from policies.data_file import InvalidPolicyFile, load_policy_file
from policies.profile import CertificateProfile
from policies.profile_words import Words, changes, describe
from portseal.cli.output import json_option, show

_language = click.option(
    "--language", type=click.Choice(["zh", "en", "both"]), default="both", show_default=True
)
_directory = click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=DIRECTORY,
    show_default="those of this version",
    help="Profiles of your own.",
)


@click.group()
def profile() -> None:
    """Certificate profiles: what each kind of certificate holds."""


@profile.command("list")
@_directory
@json_option
def list_profiles(directory: Path, as_json: bool) -> None:
    """The profiles by name, checked: a fault is told with its file and line."""
    try:
        known = load_catalogue(directory)
    except InvalidPolicyFile as fault:
        raise Unprocessable("profile.invalid", str(fault)) from None
    titles = {each.name: f"{each.title_zh} | {each.title_en} | {each.version}" for each in known}
    show(titles, as_json)


@profile.command("show")
@click.argument("name")
@_directory
@_language
@json_option
def show_profile(name: str, directory: Path, language: str, as_json: bool) -> None:
    """Everything that one profile says."""
    try:
        found = load_catalogue(directory)[name]
    except InvalidPolicyFile as fault:
        raise Unprocessable("profile.invalid", str(fault)) from None
    lines = describe(found)
    show({_said(line.name, language): _said(line.value, language) for line in lines}, as_json)


@profile.command("diff")
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_language
@json_option
def diff(old: Path, new: Path, language: str, as_json: bool) -> None:
    """What changes between two versions of a profile, in words.

    Lines that begin with ! let certificates do more, live longer or be told less of: they are for
    two people to decide.
    """
    found = changes(_read(old), _read(new))
    if as_json:
        show(
            {
                "changes": [
                    {
                        "field": each.field,
                        "zh": each.words.zh,
                        "en": each.words.en,
                        "widens": each.widens,
                    }
                    for each in found
                ]
            },
            as_json,
        )
    elif not found:
        click.echo(_said(Words("没有差别", "no difference"), language))
    else:
        for each in found:
            click.echo(f"{'!' if each.widens else '-'} {_said(each.words, language)}")


def _read(file: Path) -> CertificateProfile:
    try:
        return load_policy_file(file, CertificateProfile)
    except InvalidPolicyFile as fault:
        raise Unprocessable("profile.invalid", str(fault)) from None


def _said(words: Words, language: str) -> str:
    if language == "both" and words.zh != words.en:
        return f"{words.zh} | {words.en}"
    return words.zh if language == "zh" else words.en
