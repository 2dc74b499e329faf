"""What pkilint says, in the words of our own lints. pkilint is imported when first used: slow."""

from typing import Any

from policies.lints.framework import Finding, Level

_LEVELS = {"WARNING": Level.WARNING, "ERROR": Level.ERROR, "FATAL": Level.ERROR}
"""pkilint's severities; notices and infos are left out."""


def verdicts(validator: Any, document: Any, rules: str) -> tuple[Finding, ...]:
    """Run a validator on a loaded document; `rules` names what it checks against."""
    findings = []
    for result in validator.validate(document.root):
        for found in result.finding_descriptions:
            level = _LEVELS.get(found.finding.severity.name)
            if level is not None:
                text = f"{result.node.path}: {found.message or found.finding.code}"
                findings.append(Finding(level, found.finding.code, f"pkilint, {rules}", text))
    return tuple(findings)
