"""The sentences of refusals (kernel/refusals.py) in the sources, by their syntax.

A sentence is what a refusal is raised with after its code, or what a `Reason` is made of: a
literal there, or one that goes there through a function of the same file
(`_refused("signin.policy", "no card of this kind ...")`).
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

KINDS = (
    "Refusal",
    "Malformed",
    "Unauthenticated",
    "Forbidden",
    "NotFound",
    "Conflict",
    "TooLarge",
    "Unprocessable",
    "TooMany",
    "Unavailable",
    "InvalidActivation",
)

NOT_ON_PAGES = {
    "portseal/backup/": "command line",
    "portseal/cli/": "command line",
    "portseal/custodians.py": "command line",
    "portseal/demo/": "command line",
    "portseal/holder/": "command line, and a client of the service",
    "portseal/settings/": "told before anything is served",
    "portseal/witness.py": "command line",
    "ca/ceremonies/": "command line",
    "hsm/admin.py": "command line",
    "hsm/backup.py": "command line",
    "hsm/pins.py": "told before anything is served",
    "records/migrations/": "command line",
    "signing_service/remote/": "the CSC API's descriptions, in its own words, which are English",
}
"""Files whose refusals no page shows, by the beginning of their path; and why."""


@dataclass(frozen=True)
class Sentence:
    path: str
    line: int
    text: str | None
    """None: put together while running, so that no catalogue can hold it."""


def reaches_pages(path: str) -> bool:
    return not path.startswith(tuple(NOT_ON_PAGES))


def sentences(root: Path, rooms: Mapping[str, object] | tuple[str, ...]) -> Iterator[Sentence]:
    """Those of every source of these rooms, in order."""
    for room in rooms:
        for file in sorted((root / room).rglob("*.py")):
            path = file.relative_to(root).as_posix()
            for call, argument in _sites(ast.parse(file.read_text("utf-8"))):
                for text in _texts(argument):
                    yield Sentence(path, call.lineno, text)


def findings(root: Path) -> Iterator[Sentence]:
    """What the lints of certificates may say (policies/lints/): those of lists and OCSP answers are
    told to the console and the journal."""
    for file in sorted((root / "policies" / "lints").glob("*.py")):
        path = file.relative_to(root).as_posix()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Yield) and node.value is not None and _is_a_text(node.value):
                for text in _texts(node.value):
                    yield Sentence(path, node.lineno, text)


def _is_a_text(said: ast.expr) -> bool:
    """Not a value of another kind, which a function beside the lint yields."""
    return not isinstance(said, ast.Tuple | ast.Call)


_Place = tuple[int, str]
"""Which positional argument holds the sentence, and its keyword."""


def _sites(tree: ast.Module) -> Iterator[tuple[ast.Call, ast.expr]]:
    """Calls that make a refusal, and what they say; not those that hand on a parameter."""
    places = _places(tree)
    handed_on = {
        id(_argument(call, places[_name(call)]))
        for function in _functions(tree)
        for call in _calls(function)
        if _name(call) in places and _hands_on(function, _argument(call, places[_name(call)]))
    }
    for call in _calls(tree):
        argument = _argument(call, places[_name(call)]) if _name(call) in places else None
        if argument is not None and id(argument) not in handed_on:
            yield call, argument


def _places(tree: ast.Module) -> dict[str, _Place]:
    """Refusals, and the functions of this file whose parameter becomes a refusal's sentence."""
    known: dict[str, _Place] = dict.fromkeys(KINDS, (1, "sentence"))
    known["Reason"] = (0, "sentence")
    before = 0
    while len(known) > before:
        before = len(known)
        for function in _functions(tree):
            for call in _calls(function):
                argument = _argument(call, known[_name(call)]) if _name(call) in known else None
                if isinstance(argument, ast.Name) and _hands_on(function, argument):
                    names = _parameters(function)
                    place = names.index(argument.id) - (names[0] in ("self", "cls"))
                    known.setdefault(function.name, (place, argument.id))
    return known


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _parameters(function: ast.FunctionDef) -> list[str]:
    given = function.args
    return [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def _hands_on(function: ast.FunctionDef, argument: ast.expr | None) -> bool:
    return isinstance(argument, ast.Name) and argument.id in _parameters(function)


def _name(call: ast.Call) -> str:
    """What is called, `partial(Forbidden, ...)` being a call of `Forbidden`."""
    function = call.args[0] if _is_partial(call) else call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _is_partial(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "partial" and bool(call.args)


def _argument(call: ast.Call, place: _Place) -> ast.expr | None:
    position, keyword = place
    position += _is_partial(call)
    if position < len(call.args):
        return call.args[position]
    return next((each.value for each in call.keywords if each.arg == keyword), None)


def _texts(argument: ast.expr) -> Iterator[str | None]:
    if isinstance(argument, ast.IfExp):
        yield from _texts(argument.body)
        yield from _texts(argument.orelse)
    elif isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield argument.value
    elif not _is_another_refusals(argument):
        yield None


def _is_another_refusals(argument: ast.expr) -> bool:
    """`refusal.detail`: said, and found, where that one was raised."""
    return isinstance(argument, ast.Attribute) and argument.attr in ("detail", "sentence")
