"""Certificate policies along a path (RFC 5280, 6.1), on the graph of RFC 9618.

The graph has at most one node for each policy and depth, so that mappings which multiply cost no
more than they are long.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed
from signing_service.validation.names import is_self_issued

ANY_POLICY = "2.5.29.32.0"
MAPPINGS = "2.5.29.33"
CONSTRAINTS = "2.5.29.36"
INHIBIT_ANY = "2.5.29.54"
PROCESSED = frozenset({MAPPINGS, CONSTRAINTS, INHIBIT_ANY})
"""Critical extensions of which this module takes care."""


@dataclass(frozen=True)
class PolicyInputs:
    """RFC 5280, 6.1.1 c and e-g."""

    acceptable: frozenset[str] | None = None
    """user-initial-policy-set; None: any."""
    require_explicit: bool = False
    inhibit_mapping: bool = False
    inhibit_any: bool = False


@dataclass(frozen=True)
class PolicyOutcome:
    holds: bool
    """Whether the path satisfies its own policy constraints and the inputs."""
    policies: frozenset[str] | None
    """Valid for the whole path, in the trust anchor's own identifiers; None: any policy."""


@dataclass
class _Node:
    expected: frozenset[str]
    parents: frozenset[str]


_Level = dict[str, _Node]


@dataclass
class _State:
    explicit: int
    mapping: int
    any: int
    levels: list[_Level] = field(
        default_factory=lambda: [{ANY_POLICY: _Node(frozenset({ANY_POLICY}), frozenset())}]
    )

    @property
    def is_null(self) -> bool:
        return not self.levels[-1]


def process_policies(
    certificates: Sequence[Certificate], inputs: PolicyInputs | None = None
) -> PolicyOutcome:
    """`certificates`: the path without its anchor, the one that the anchor issued first."""
    inputs = inputs or PolicyInputs()
    length = len(certificates)
    state = _State(
        0 if inputs.require_explicit else length + 1,
        0 if inputs.inhibit_mapping else length + 1,
        0 if inputs.inhibit_any else length + 1,
    )
    nothing = PolicyOutcome(holds=False, policies=frozenset())
    try:
        for position, certificate in enumerate(certificates, 1):
            is_last = position == length
            _process(state, certificate, is_last=is_last)
            if state.explicit == 0 and state.is_null:
                return nothing
            if not is_last and not _prepare(state, certificate):
                return nothing
            _count(state, certificate, is_last=is_last)
    except (Malformed, ValueError):
        return nothing
    valid = _authority_constrained(state.levels)
    acceptable = inputs.acceptable
    user = valid if acceptable is None else (acceptable if valid is None else valid & acceptable)
    holds = state.explicit > 0 or user is None or bool(user)
    return PolicyOutcome(holds, valid)


def _process(state: _State, certificate: Certificate, *, is_last: bool) -> None:
    """6.1.3, d and e."""
    above, level = state.levels[-1], _Level()
    policies = certificate.policies
    for policy in policies:
        if policy == ANY_POLICY:
            continue
        parents = {name for name, node in above.items() if policy in node.expected}
        if not parents and ANY_POLICY in above:
            parents = {ANY_POLICY}
        if parents:
            level[policy] = _Node(frozenset({policy}), frozenset(parents))
    allowed = state.any > 0 or (not is_last and is_self_issued(certificate))
    if ANY_POLICY in policies and allowed:
        expected = {policy for node in above.values() for policy in node.expected}
        for policy in expected - set(level):
            parents = {name for name, node in above.items() if policy in node.expected}
            level[policy] = _Node(frozenset({policy}), frozenset(parents))
    state.levels.append(level)


def _prepare(state: _State, certificate: Certificate) -> bool:
    """6.1.4, a and b. False: the certificate maps any policy, which none may."""
    mappings: dict[str, set[str]] = {}
    for issuer_policy, subject_policy in _mappings(certificate):
        if ANY_POLICY in (issuer_policy, subject_policy):
            return False
        mappings.setdefault(issuer_policy, set()).add(subject_policy)
    level = state.levels[-1]
    for policy, mapped in mappings.items():
        if state.mapping == 0:
            level.pop(policy, None)
        elif policy in level:
            level[policy].expected = frozenset(mapped)
        elif ANY_POLICY in level:
            level[policy] = _Node(frozenset(mapped), frozenset({ANY_POLICY}))
    return True


def _count(state: _State, certificate: Certificate, *, is_last: bool) -> None:
    """6.1.4, h-j; 6.1.5, a and b."""
    if is_last or not is_self_issued(certificate):
        state.explicit = max(state.explicit - 1, 0)
        state.mapping = max(state.mapping - 1, 0)
        state.any = max(state.any - 1, 0)
    require, inhibit = _constraints(certificate)
    if require is not None and (not is_last or require == 0):
        state.explicit = min(state.explicit, require)
    if inhibit is not None:
        state.mapping = min(state.mapping, inhibit)
    skip = _inhibit_any(certificate)
    if skip is not None:
        state.any = min(state.any, skip)


def _authority_constrained(levels: list[_Level]) -> frozenset[str] | None:
    """RFC 9618, 5.5: policies of nodes that hang on any policy and reach the last level."""
    reachable = set(levels[-1])
    if ANY_POLICY in reachable:
        return None
    found: set[str] = set()
    for level in reversed(levels[1:]):
        above: set[str] = set()
        for policy in reachable:
            node = level[policy]
            if ANY_POLICY in node.parents and policy != ANY_POLICY:
                found.add(policy)
            above |= node.parents
        reachable = above
    return frozenset(found)


def _mappings(certificate: Certificate) -> list[tuple[str, str]]:
    encoded = certificate.extension(MAPPINGS)
    if encoded is None:
        return []
    pairs = []
    for pair in der.children(encoded, der.read_only(encoded, der.SEQUENCE)):
        one, other = der.children(encoded, pair)
        pairs.append((_dotted(encoded, one), _dotted(encoded, other)))
    return pairs


def _constraints(certificate: Certificate) -> tuple[int | None, int | None]:
    """requireExplicitPolicy and inhibitPolicyMapping."""
    encoded = certificate.extension(CONSTRAINTS)
    if encoded is None:
        return None, None
    found: dict[int, int] = {}
    for element in der.children(encoded, der.read_only(encoded, der.SEQUENCE)):
        found[element.tag] = int.from_bytes(encoded[element.content : element.end], "big")
    return found.get(0x80), found.get(0x81)


def _inhibit_any(certificate: Certificate) -> int | None:
    encoded = certificate.extension(INHIBIT_ANY)
    if encoded is None:
        return None
    element = der.read_only(encoded, 0x02)
    return int.from_bytes(encoded[element.content : element.end], "big")


def _dotted(data: bytes, element: der.Element) -> str:
    arcs, value = [], 0
    for octet in data[element.content : element.end]:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
