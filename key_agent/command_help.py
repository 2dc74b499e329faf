"""Help of the command line in its user's language, click's own few words included."""

from collections.abc import Mapping

import click

from kernel.refusals import Refusal
from key_agent.command_words import COMMAND_WORDS, REFUSALS
from key_agent.places import home
from key_agent.words import Language, Words, chosen_language, user_language


def own_words(language: Language | None = None) -> Words:
    """In the language that `agent.toml` names, else the user's own."""
    return Words(language or chosen_language(home()) or user_language(), COMMAND_WORDS)


def refusal_in_words(refusal: Refusal, language: Language) -> str:
    """With its code; in Chinese where its sentence is known, else as it is."""
    told = REFUSALS.get(refusal.code) if language == "zh" else None
    facts = {name: str(value) for name, value in refusal.facts.items()}
    return f"{refusal.detail if told is None else told.format_map(facts)} ({refusal.code})"


def _headings() -> Mapping[str, str]:
    say = own_words()
    return {"Options": say("options"), "Commands": say("commands")}


class _SpokenFormatter(click.HelpFormatter):
    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, own_words()("usage") if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        super().write_heading(_headings().get(heading, heading))


class _SpokenContext(click.Context):
    formatter_class = _SpokenFormatter


class SpokenCommand(click.Command):
    """A command."""

    context_class = _SpokenContext

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = own_words()("help")
        return option


class SpokenGroup(SpokenCommand, click.Group):
    """A group of commands."""
