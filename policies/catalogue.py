"""The catalogue of certificate profiles: every file of `profiles/`, read once and strictly."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from kernel.identifiers import ProfileName
from kernel.refusals import NotFound
from policies.data_file import fault_at, load_policy_file
from policies.oids import PLACEHOLDER_ARC
from policies.profile import CertificateProfile

DIRECTORY = Path(__file__).with_name("profiles")
AUTHORITIES = frozenset({"root", "issuing", "regional", "link"})
"""The profiles that may make an authority (policies/cp-cps.md, 1.3.1). A list in code: no edit of
one TOML file turns a card's certificate into an authority's."""


class ProfileCatalogue:
    """Profiles by name."""

    def __init__(self, profiles: Mapping[str, CertificateProfile]) -> None:
        self._profiles = MappingProxyType(dict(profiles))

    def __getitem__(self, name: ProfileName | str) -> CertificateProfile:
        """Raises NotFound `profile.unknown`."""
        try:
            return self._profiles[name]
        except KeyError:
            raise NotFound("profile.unknown", "no such certificate profile", name=name) from None

    def shards(self, issuer: str) -> int:
        """Into how many parts the revocation list of this authority is split at most."""
        return max((each.crl_shards for each in self if each.issuer == issuer), default=0)

    def __iter__(self) -> Iterator[CertificateProfile]:
        return iter(self._profiles.values())

    def __len__(self) -> int:
        return len(self._profiles)


def load_catalogue(directory: Path = DIRECTORY, arc: str = PLACEHOLDER_ARC) -> ProfileCatalogue:
    """Read every profile; `arc` is the operator's own object identifier.

    Raises InvalidPolicyFile, which names the file, the line and the key at fault.
    """
    profiles: dict[str, CertificateProfile] = {}
    for file in sorted(directory.glob("*.toml")):
        profile = load_policy_file(file, CertificateProfile)
        if profile.name != file.stem:
            raise fault_at(file, "name", "a profile is named as its file")
        if "arc" in profile.model_fields_set:
            raise fault_at(file, "arc", "set for all profiles at once, not in a file")
        if profile.ca is not (profile.name in AUTHORITIES):
            fault = "authorities are root, issuing, regional and link, and nobody else"
            raise fault_at(file, "ca", fault)
        profiles[profile.name] = CertificateProfile.model_validate(
            {**profile.model_dump(), "arc": arc}
        )
    for name, profile in profiles.items():
        _check_issuer(directory / f"{name}.toml", profile, profiles)
    return ProfileCatalogue(profiles)


def _check_issuer(
    file: Path, profile: CertificateProfile, profiles: Mapping[str, CertificateProfile]
) -> None:
    if profile.issuer == "self":
        return
    issuer = profiles.get(profile.issuer)
    if issuer is None or not issuer.ca:
        raise fault_at(file, "issuer", "no profile of an authority has this name")
    if profile.validity_days > issuer.validity_days:
        raise fault_at(file, "validity_days", "longer than its issuer's own validity")
    limit = issuer.path_length
    if profile.ca and limit is not None and (profile.path_length or 0) >= limit:
        raise fault_at(file, "path_length", "deeper than its issuer allows")
