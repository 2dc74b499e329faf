"""Opening the authorities that ceremonies made: keys and certificates from the tokens.

An authority's certificate stands on the issuing token under the authority's name, which begins
with its role: `root`, `issuing-2`, `regional-ningbo`. Link and cross certificates stand beside
them under other names. A root's own token may be away.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ca.authority import Authority
from ca.ceremonies.labels import ISSUING, REPORT, ROOT
from ca.issuing.addresses import StatusAddresses
from hsm.absent import AbsentKey
from hsm.token import Token
from hsm.token_key import TokenKey
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import NotFound, Unavailable
from policies.catalogue import ProfileCatalogue
from policies.ceremony_plan import role_of
from policies.oids import EXTENDED_KEY_USAGES
from records.database import Database
from records.journal import Journal
from records.outbox import Outbox


@dataclass(frozen=True)
class KeyWithCertificate:
    """A key, its certificate, and the certificates above."""

    key: TokenKey | AbsentKey
    certificate: Certificate
    chain: tuple[Certificate, ...]
    """Issuer first, root last."""

    @property
    def is_present(self) -> bool:
        """False: the key's token is away."""
        return not isinstance(self.key, AbsentKey)


@dataclass(frozen=True)
class OpenAuthority:
    """One authority with what answers for it."""

    authority: Authority
    own: KeyWithCertificate
    responder: KeyWithCertificate
    """Its first delegated OCSP responder; later ones are in the records."""
    responder_profile: str

    @property
    def name(self) -> str:
        return self.authority.name

    @property
    def role(self) -> str:
        return role_of(self.name) or self.name


@dataclass(frozen=True)
class Authorities:
    """Everything that ceremonies left in the tokens."""

    by_name: Mapping[str, OpenAuthority]
    """Roots first, then in the order of names."""
    current: str
    """Name of the authority that issues now, where no region has its own."""
    tsa: KeyWithCertificate
    report: KeyWithCertificate | None
    """What signs validation reports; None on tokens whose ceremony made none."""
    links: tuple[Certificate, ...]
    """Link and cross certificates: further ways to a root."""

    def __getitem__(self, name: str) -> OpenAuthority:
        """Raises NotFound `authority.unknown`."""
        try:
            return self.by_name[name]
        except KeyError:
            raise NotFound("authority.unknown", "no such authority", name=name) from None

    def of_role(self, role: str) -> list[OpenAuthority]:
        return [each for each in self.by_name.values() if each.role == role]

    @property
    def issuing(self) -> Authority:
        """The one that issues now."""
        return self.by_name[self.current].authority

    @property
    def issuing_key(self) -> KeyWithCertificate:
        return self.by_name[self.current].own

    @property
    def ocsp(self) -> KeyWithCertificate:
        return self.by_name[self.current].responder

    @property
    def root(self) -> Authority:
        """The first root."""
        return self.by_name[ROOT].authority

    @property
    def root_key(self) -> KeyWithCertificate:
        return self.by_name[ROOT].own

    @property
    def root_ocsp(self) -> KeyWithCertificate:
        return self.by_name[ROOT].responder

    def path_of(self, certificate: Certificate) -> tuple[Certificate, ...]:
        """The authorities above a certificate that one of them issued, whichever: issuer first,
        root last. Raises NotFound `authority.unknown`."""
        for each in self.by_name.values():
            if certificate.is_signed_by(each.own.certificate):
                return (each.own.certificate, *each.own.chain)
        raise NotFound("authority.unknown", "no authority of ours issued this certificate")

    @property
    def certificates(self) -> dict[str, Certificate]:
        """The authorities' own, by name."""
        return {name: each.own.certificate for name, each in self.by_name.items()}


def open_authorities(
    token: Token,
    catalogue: ProfileCatalogue,
    database: Database,
    journal: Journal,
    outbox: Outbox,
    clock: Clock,
    entropy: Entropy,
    urls: StatusAddresses,
    *,
    root_token: Token | None = None,
    current: str | None = None,
) -> Authorities:
    """Read certificates and keys, check that they belong together and to one chain.

    `root_token`: where the roots' keys are, when it is here and not `token` itself. `current`:
    the authority that issues; default: the newest issuing one.
    Raises Unavailable `authority.missing` before the ceremony, `authority.wrong-key`,
    `authority.wrong-chain`, `authority.no-responder`, and as the token does.
    """
    shelf = _Shelf(token, root_token)
    named = [name for name in shelf.held if role_of(name) is not None and shelf.held[name].is_ca]
    for wanted in (ROOT, ISSUING):
        if wanted not in named:
            raise Unavailable(
                "authority.missing", "the token has not been through the ceremony", missing=wanted
            )
    named.sort(key=lambda name: (role_of(name) != ROOT, name))
    opened = {name: shelf.opened(name) for name in named}

    def authority(name: str) -> OpenAuthority:
        pair = opened[name]
        made = Authority(
            name,
            pair.certificate,
            pair.chain,
            pair.key,
            catalogue,
            database,
            journal,
            outbox,
            clock,
            entropy,
            urls,
        )
        profile = "root-ocsp" if role_of(name) == ROOT else "ocsp"
        responders = shelf.delegated(pair.certificate, "OCSPSigning")
        if not responders:
            raise Unavailable("authority.no-responder", "no OCSP responder's key", name=name)
        first = min(responders, key=lambda each: shelf.held[each].not_before)
        return OpenAuthority(made, pair, shelf.opened(first), profile)

    issuing = [name for name in named if role_of(name) == ISSUING]
    current = current or _newest(opened, issuing)
    stamping: list[str] = []
    # That of the authority that issues now: where `current` holds a roll-over back, nodes that do
    # not know the new authorities yet understand each timestamp.
    for each in (current, *issuing):
        if each in opened and not stamping:
            stamping = shelf.delegated(opened[each].certificate, "timeStamping")
    if not stamping:
        raise Unavailable("authority.missing", "no timestamp authority's key", missing="tsa")
    return Authorities(
        {name: authority(name) for name in named},
        current,
        _open_newest(shelf, stamping),
        shelf.opened(REPORT) if REPORT in shelf.held else None,
        tuple(shelf.held[name] for name in shelf.held if shelf.is_link(name)),
    )


def _newest(opened: Mapping[str, KeyWithCertificate], names: Sequence[str]) -> str:
    return max(names, key=lambda name: (opened[name].certificate.not_before, len(name), name))


def _open_newest(shelf: "_Shelf", names: Iterable[str]) -> KeyWithCertificate:
    return shelf.opened(max(names, key=lambda each: (shelf.held[each].not_before, each)))


class _Shelf:
    """What the tokens hold, read once."""

    def __init__(self, token: Token, root_token: Token | None) -> None:
        self._tokens = [token] if root_token is None else [token, root_token]
        self.held = {each.label: Certificate.parse(each.der) for each in token.certificates()}
        self._keys = {label: each for each in reversed(self._tokens) for label in each.key_labels()}
        self._authorities = [
            certificate
            for name, certificate in self.held.items()
            if certificate.is_ca and role_of(name) is not None
        ]

    def is_link(self, name: str) -> bool:
        return self.held[name].is_ca and role_of(name) is None

    def delegated(self, issuer: Certificate, purpose: str) -> list[str]:
        """Names of this authority's own services' certificates."""
        oid = EXTENDED_KEY_USAGES[purpose]
        return [
            name
            for name, each in self.held.items()
            if oid in each.extended_key_usage
            and name in self._keys
            and each.issuer_der == issuer.subject_der
            and each.is_signed_by(issuer)
        ]

    def opened(self, name: str) -> KeyWithCertificate:
        """The pair of this name. Raises Unavailable `authority.wrong-key`,
        `authority.wrong-chain`."""
        certificate = self.held[name]
        return KeyWithCertificate(self._key(name, certificate), certificate, self._chain(name))

    def _key(self, name: str, certificate: Certificate) -> TokenKey | AbsentKey:
        holder = self._keys.get(name)
        if holder is None:
            public = certificate.public_key
            if role_of(name) == ROOT and certificate.is_ca:
                return AbsentKey(name, public, public.default_suite())
            raise Unavailable("token.no-key", "the token does not hold this key", name=name)
        key = holder.key(name)
        if key.public_key.spki != certificate.spki:
            raise Unavailable("authority.wrong-key", "the key is not the certificate's", name=name)
        return key

    def _chain(self, name: str) -> tuple[Certificate, ...]:
        chain: list[Certificate] = []
        below = self.held[name]
        while not below.is_self_issued:
            above = next((one for one in self._authorities if below.is_signed_by(one)), None)
            if above is None or above in chain:
                raise Unavailable(
                    "authority.wrong-chain", "not signed by the authority above", name=name
                )
            chain.append(above)
            below = above
        if not below.is_signed_by(below):
            raise Unavailable("authority.wrong-chain", "a root that is not its own", name=name)
        return tuple(chain)
