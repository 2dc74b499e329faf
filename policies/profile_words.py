"""A certificate profile as people read it, in Chinese and English, and what changed in words."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from policies.profile import CertificateProfile, SubjectRule


@dataclass(frozen=True)
class Words:
    """One thing said in both languages."""

    zh: str
    en: str


@dataclass(frozen=True)
class Line:
    """One property of a profile."""

    name: Words
    value: Words


@dataclass(frozen=True)
class Change:
    """One difference between two versions of a profile."""

    field: str
    """The key in the TOML file."""
    words: Words
    widens: bool
    """Whether certificates may do more, live longer or be told less of than before: such a change
    is for two people to decide (policies/cp-cps.md, 9.12)."""


_USAGES = {
    "digitalSignature": Words("数字签名", "digital signature"),
    "nonRepudiation": Words("不可否认", "non-repudiation"),
    "keyEncipherment": Words("密钥加密（RSA）", "key encipherment (RSA)"),
    "keyAgreement": Words("密钥协商（椭圆曲线）", "key agreement (elliptic curves)"),
    "keyCertSign": Words("签发证书", "signing certificates"),
    "cRLSign": Words("签发撤销列表", "signing revocation lists"),
}
_PURPOSES = {
    "serverAuth": Words("TLS 服务器", "TLS server"),
    "clientAuth": Words("TLS 客户端与登录", "TLS client and sign-in"),
    "emailProtection": Words("邮件保护", "e-mail protection"),
    "timeStamping": Words("时间戳", "timestamping"),
    "OCSPSigning": Words("OCSP 应答", "OCSP answers"),
}
_PLACES = {
    "pkcs11-token": Words("密码钥匙内生成，永不导出", "born in a token, never outside"),
    "key-centre": Words(
        "由密钥管理中心生成并托管，加密送入密码钥匙",
        "made and escrowed by the key-management centre, delivered enveloped",
    ),
    "subject-software": Words("由持有人软件保管", "kept in the subject's software"),
}
_FIELDS = {
    "country": Words("国家 C", "country C"),
    "organization": Words("单位 O", "organization O"),
    "organization_identifier": Words("单位代码 organizationIdentifier", "organizationIdentifier"),
    "organizational_unit": Words("部门 OU", "organizational unit OU"),
    "common_name": Words("名称 CN", "common name CN"),
    "serial_number": Words("编号 serialNumber", "serialNumber"),
}
_YES, _NO = Words("是", "yes"), Words("否", "no")
_NONE = Words("无", "none")


def describe(profile: CertificateProfile) -> list[Line]:
    """Everything that a profile says, in the order in which people ask."""
    return [Line(each.name, each.say(each.get(profile))) for each in _PROPERTIES]


def changes(old: CertificateProfile, new: CertificateProfile) -> list[Change]:
    """What is different in `new`, in words; empty: nothing that a certificate would show."""
    found = [
        Change(each.field, _from_to(each, before, after), each.widens(before, after))
        for each in _PROPERTIES
        if (before := each.get(old)) != (after := each.get(new))
    ]
    if found and new.version <= old.version:
        words = Words(
            f"内容已变，版本号却未增加（{old.version} → {new.version}）",
            f"the content changed, but the version did not go up ({old.version} to {new.version})",
        )
        found.append(Change("version", words, widens=False))
    return found


# -- how values are said --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Property:
    field: str
    name: Words
    say: Callable[[Any], Words]
    widens: Callable[[Any, Any], bool] = lambda before, after: False

    def get(self, profile: CertificateProfile) -> Any:
        return getattr(profile, self.field)


def _from_to(each: _Property, before: Any, after: Any) -> Words:
    if isinstance(before, tuple) and isinstance(after, tuple):
        return _list_change(each, before, after)
    old, new = each.say(before), each.say(after)
    return Words(
        f"{each.name.zh}：由“{old.zh}”改为“{new.zh}”", f"{each.name.en}: from {old.en} to {new.en}"
    )


def _list_change(each: _Property, before: tuple[Any, ...], after: tuple[Any, ...]) -> Words:
    added = tuple(value for value in after if value not in before)
    removed = tuple(value for value in before if value not in after)
    zh, en = [], []
    if added:
        words = each.say(added)
        zh.append(f"增加{words.zh}")
        en.append(f"adds {words.en}")
    if removed:
        words = each.say(removed)
        zh.append(f"去掉{words.zh}")
        en.append(f"takes away {words.en}")
    if not added and not removed:
        zh.append("次序改变")
        en.append("another order")
    return Words(f"{each.name.zh}：{'，'.join(zh)}", f"{each.name.en}: {'; '.join(en)}")


def _text(value: Any) -> Words:
    return Words(str(value), str(value))


def _count(zh: str, en: str) -> Callable[[Any], Words]:
    return lambda value: Words(f"{value} {zh}", f"{value} {en}")


def _flag(value: bool) -> Words:
    return _YES if value else _NO


def _joined(said: Iterator[Words]) -> Words:
    parts = list(said)
    if not parts:
        return _NONE
    return Words("、".join(each.zh for each in parts), ", ".join(each.en for each in parts))


def _named(names: dict[str, Words]) -> Callable[[Any], Words]:
    def say(value: Any) -> Words:
        values = value if isinstance(value, tuple) else (value,)
        return _joined(names.get(each, _text(each)) for each in values)

    return say


def _list(value: tuple[str, ...]) -> Words:
    return _joined(_text(each) for each in value)


def _issuer(value: str) -> Words:
    return Words("自签名", "itself") if value == "self" else _text(value)


def _depth(value: int | None) -> Words:
    if value is None:
        return Words("不适用或不限", "not applicable or unlimited")
    return Words(f"其下至多 {value} 级", f"at most {value} below it")


def _alternatives(value: str) -> Words:
    return _NONE if value == "none" else Words("DNS 名称", "DNS names")


def _shards(value: int) -> Words:
    return Words(f"分为 {value} 份", f"in {value} parts") if value else Words("不分", "in one")


def _subject(rules: tuple[SubjectRule, ...]) -> Words:
    return _joined(_rule(rule) for rule in rules)


def _rule(rule: SubjectRule) -> Words:
    name = _FIELDS[rule.field]
    zh, en = [], []
    if rule.fixed is not None:
        zh.append(f"固定为 {rule.fixed}")
        en.append(f"always {rule.fixed}")
    else:
        zh.append(f"至多 {rule.max_length} 字")
        en.append(f"at most {rule.max_length} characters")
    if not rule.required:
        zh.append("可缺")
        en.append("optional")
    if rule.pattern is not None:
        zh.append(f"形如 {rule.pattern}")
        en.append(f"of the form {rule.pattern}")
    return Words(f"{name.zh}（{'，'.join(zh)}）", f"{name.en} ({', '.join(en)})")


def _more(before: Any, after: Any) -> bool:
    return (after or 0) > (before or 0)


def _added(before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    return bool(set(after) - set(before))


def _gone(before: Any, after: Any) -> bool:
    return bool(before) and not after


def _came(before: Any, after: Any) -> bool:
    return bool(after) and not before


def _always(before: Any, after: Any) -> bool:
    return True


_PROPERTIES = (
    _Property("title_zh", Words("中文名称", "Chinese title"), _text),
    _Property("title_en", Words("英文名称", "English title"), _text),
    _Property("issuer", Words("签发者", "issued by"), _issuer, _always),
    _Property("key_location", Words("私钥所在", "private key"), _named(_PLACES), _always),
    _Property("validity_days", Words("有效期", "validity"), _count("天", "days"), _more),
    _Property(
        "backdate_seconds", Words("生效提前", "begins earlier by"), _count("秒", "seconds"), _more
    ),
    _Property("suites", Words("算法", "algorithms"), _list, _added),
    _Property("policy_oids", Words("证书策略", "certificate policies"), _list, _added),
    _Property("subject", Words("主体名称", "subject"), _subject, _always),
    _Property("ca", Words("可签发证书", "is an authority"), _flag, _came),
    _Property("path_length", Words("下级深度", "path length"), _depth, _more),
    _Property("key_usage", Words("密钥用途", "key usage"), _named(_USAGES), _added),
    _Property("extended_key_usage", Words("扩展用途", "purposes"), _named(_PURPOSES), _added),
    _Property(
        "extended_key_usage_critical", Words("扩展用途为关键项", "purposes are critical"),
        _flag, _gone,
    ),
    _Property("alternative_names", Words("备用名称", "alternative names"), _alternatives, _always),
    _Property(
        "self_issued",
        Words("主体即签发者（新旧密钥连接）", "the subject is the issuer (links its keys)"),
        _flag, _came,
    ),
    _Property("ocsp_nocheck", Words("不查自身状态", "own status is not asked for"), _flag, _came),
    _Property("crl_address", Words("写明撤销列表地址", "names its revocation list"), _flag, _gone),
    _Property("ocsp_address", Words("写明 OCSP 地址", "names OCSP"), _flag, _gone),
    _Property("issuer_address", Words("写明上级证书地址", "names its issuer's certificate"), _flag),
    _Property("crl_shards", Words("撤销列表", "revocation list"), _shards),
    _Property(
        "crl_keep_days", Words("过期后仍列出", "listed after expiry for"), _count("天", "days")
    ),
    _Property("published", Words("发布到目录", "published in the directory"), _flag),
)  # fmt: skip
