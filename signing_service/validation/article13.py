"""The four conditions of article 13 of the Electronic Signature Law, answered from evidence.

Each answer names what it rests on and what it does not prove: the software can speak for keys,
certificates, status and time; whether a person guarded card and PIN lies outside it.
"""

from dataclasses import dataclass
from enum import StrEnum

from kernel.asn1.certificate import Certificate
from kernel.refusals import Refusal
from signing_service.ports import CertificateStatus, Holder
from signing_service.validation.engine import SignatureValidation
from signing_service.validation.indications import Indication, SubIndication
from signing_service.validation.paths import CertificatePath
from signing_service.validation.words import source_in_chinese


class Answer(StrEnum):
    YES = "yes"
    NO = "no"
    NOT_PROVEN = "not-proven"


@dataclass(frozen=True)
class Text:
    """The same sentence in both languages."""

    en: str
    zh: str


@dataclass(frozen=True)
class Condition:
    """One condition, its answer and what the answer rests on."""

    number: int
    """1 to 4, as article 13 counts."""
    question: Text
    answer: Answer
    evidence: tuple[Text, ...]
    limits: tuple[Text, ...]
    """What the evidence does not prove."""


_QUESTIONS = (
    Text(
        "The signature creation data belongs to the signatory alone",
        "电子签名制作数据用于电子签名时，属于电子签名人专有",
    ),
    Text(
        "The signature creation data was controlled by the signatory alone when signing",
        "签署时电子签名制作数据仅由电子签名人控制",
    ),
    Text(
        "Any change to the signature after signing can be discovered",
        "签署后对电子签名的任何改动能够被发现",
    ),
    Text(
        "Any change to the content or form after signing can be discovered",
        "签署后对数据电文内容和形式的任何改动能够被发现",
    ),
)
_TRUST_IN_ISSUER = Text(
    "This rests on the issuing authority having followed its certificate policy.",
    "以上结论以发证机构遵守其证书策略为前提。",
)
_PIN_LEAVES_NO_TRACE = Text(
    "The entry of a PIN leaves no trace in a signature: that nobody else knew the PIN cannot be "
    "seen from here.",
    "输入 PIN 的动作不会在签名中留下痕迹，无法由此判断 PIN 是否为他人知悉。",
)


def answer_article_13(
    validation: SignatureValidation, holder: Holder | None
) -> tuple[Condition, Condition, Condition, Condition]:
    """Answer the four conditions. `holder`: of the signing certificate at the proven time."""
    certificate = validation.basic.certificate
    path = certificate.path if certificate is not None else None
    return (
        _belongs_to_signatory(validation, path, holder),
        _controlled_by_signatory(validation, path, holder),
        _signature_unchanged(validation),
        _content_unchanged(validation),
    )


def _token_policy(path: CertificatePath) -> str | None:
    """The policy that keeps the key on a token, when the authority vouches for one."""
    valid = path.policies() or frozenset()
    return min(valid & path.authority.token_policies, default=None)


def _chain_holds(validation: SignatureValidation) -> bool:
    """Every doubt about the signer's certificate is answered by the proven time."""
    certificate = validation.basic.certificate
    if certificate is None or certificate.path is None:
        return False
    past = validation.past
    if past is not None and past.before is not None:
        return validation.best_signature_time.at < past.before
    doubts = certificate.doubts or (certificate.conclusion,)
    return all(d.passed or d.is_healed_by(validation.best_signature_time.at) for d in doubts)


def _belongs_to_signatory(
    validation: SignatureValidation, path: CertificatePath | None, holder: Holder | None
) -> Condition:
    evidence, limits = [], [_TRUST_IN_ISSUER]
    policy = _token_policy(path) if path is not None else None
    if path is not None:
        evidence.append(_issued_text(path.certificates[0], path))
    if policy is not None:
        evidence.append(
            Text(
                f"Certificate policy {policy}: the key pair is to be made in the holder's token "
                "and may not leave it.",
                f"证书策略 {policy}：密钥对须在持有人的密码钥匙内生成，且不可导出。",
            )
        )
    else:
        limits.append(
            Text(
                "No accepted certificate policy says that the key was made on a token.",
                "没有可采信的证书策略表明密钥在密码钥匙内生成。",
            )
        )
    if holder is not None:
        evidence.append(
            Text(
                f"The registry assigns card {holder.card} to {holder.name} alone.",
                f"注册记录显示卡 {holder.card} 仅归 {holder.name} 所有。",
            )
        )
    _tell_witness(holder, evidence, limits)
    witnessed = holder is not None and holder.key_witness is not None
    holds = policy is not None and witnessed and _chain_holds(validation)
    return _condition(1, Answer.YES if holds else Answer.NOT_PROVEN, evidence, limits)


def _tell_witness(holder: Holder | None, evidence: list[Text], limits: list[Text]) -> None:
    """A policy is a promise; that the key lies on a token is known from who saw it made there."""
    if holder is None:
        limits.append(
            Text(
                "The holder is not in this service's registry.",
                "持有人不在本服务的注册记录中。",
            )
        )
    elif holder.key_witness is not None:
        evidence.append(
            Text(
                f"The making of the key on the token was witnessed: {holder.key_witness}.",
                f"密钥在密码钥匙内生成，有人见证：{holder.key_witness}。",
            )
        )
    else:
        limits.append(
            Text(
                "The holder enrolled without a witness: nobody but the holder says that the key "
                "was made on a token.",
                "持有人制卡时无人见证：密钥在密码钥匙内生成仅为持有人单方陈述。",
            )
        )


def _controlled_by_signatory(
    validation: SignatureValidation, path: CertificatePath | None, holder: Holder | None
) -> Condition:
    evidence, limits = [], [_PIN_LEAVES_NO_TRACE]
    certificate = validation.basic.certificate
    policy = _token_policy(path) if path is not None else None
    proven = validation.best_signature_time.at
    moment = proven.isoformat(timespec="seconds")
    if policy is not None:
        evidence.append(
            Text(
                f"Certificate policy {policy}: the token signs only after a login with the "
                "holder's PIN, which is entered where the token is.",
                f"证书策略 {policy}：密码钥匙须由持有人在本地输入 PIN 登录后方可签名。",
            )
        )
    in_force = False
    past = validation.past
    findings = certificate.revocation if certificate is not None else ()
    if past is not None and past.before is not None:
        findings = past.revocation
    if findings:
        answer = findings[0].answer
        if answer is not None and answer.status is CertificateStatus.GOOD:
            in_force = True
            evidence.append(
                Text(
                    f"No loss or revocation of the card is known ({answer.source}).",
                    f"未发现该卡挂失或吊销记录（{source_in_chinese(answer.source)}）。",
                )
            )
        elif answer is not None and answer.revoked_at is not None:
            when = answer.revoked_at.isoformat(timespec="seconds")
            in_force = proven < answer.revoked_at
            order_en = "after" if in_force else "not proven to be after"
            order_zh = "晚于" if in_force else "无法证明晚于"
            evidence.append(
                Text(
                    f"The card was revoked on {when}, {order_en} the signature ({moment}).",
                    f"该卡于 {when} 吊销，{order_zh}签名时间（{moment}）。",
                )
            )
    _tell_witness(holder, evidence, limits)
    witnessed = holder is not None and holder.key_witness is not None
    holds = policy is not None and witnessed and in_force and _chain_holds(validation)
    return _condition(2, Answer.YES if holds else Answer.NOT_PROVEN, evidence, limits)


def _signature_unchanged(validation: SignatureValidation) -> Condition:
    conclusion = validation.basic.conclusion
    sub = conclusion.sub_indication
    # The engine stops at a digest that differs; the signature value may be whole all the same.
    stopped_early = sub in (SubIndication.HASH_FAILURE, SubIndication.SIGNED_DATA_NOT_FOUND)
    whole = stopped_early and _value_holds(validation)
    if sub is SubIndication.SIG_CRYPTO_FAILURE or (stopped_early and not whole):
        changed = Text(
            "The signature value does not fit the certificate's key: a change was discovered.",
            "签名值与证书公钥不符：已发现改动。",
        )
        return _condition(3, Answer.NO, [changed], [])
    if not whole and not _cryptographically_sound(validation):
        return _condition(3, Answer.NOT_PROVEN, [], [_words_of_failure(validation)])
    evidence = [
        Text(
            f"The signature value was verified with the certificate's public key "
            f"({validation.evidence.algorithm_name}); a change of one bit would fail.",
            f"已用证书公钥验证签名值（{validation.evidence.algorithm_name}），任何改动都会导致验证失败。",
        )
    ]
    if validation.evidence.certificate_reference is not None:
        evidence.append(
            Text(
                "The signing certificate is bound by a signed reference.",
                "签名证书由已签名的引用加以绑定。",
            )
        )
    return _condition(3, Answer.YES, evidence, [])


def _content_unchanged(validation: SignatureValidation) -> Condition:
    evidence_of = validation.evidence
    changed = [r for r in evidence_of.references if r.actual is not None and not r.intact]
    if changed:
        names = ", ".join(reference.name for reference in changed)
        text = Text(f"A change was discovered in: {names}.", f"已发现改动：{names}。")
        return _condition(4, Answer.NO, [text], [])
    if not _cryptographically_sound(validation) or not evidence_of.covers_document:
        return _condition(4, Answer.NOT_PROVEN, [], [_words_of_failure(validation)])
    evidence = [
        Text(
            f"The {reference.digest.upper()} digest of “{reference.name}” equals the signed one.",
            f"“{reference.name}”的 {reference.digest.upper()} 摘要与签名中的一致。",
        )
        for reference in evidence_of.references
    ]
    limits = [
        Text(
            "How the content was displayed to the signer is not part of the signature.",
            "内容当时如何向签名人展示，不在签名范围之内。",
        )
    ]
    return _condition(4, Answer.YES, evidence, limits)


def _cryptographically_sound(validation: SignatureValidation) -> bool:
    """Digests and value hold, with algorithms that were strong enough at the proven time."""
    basic, proven = validation.basic, validation.best_signature_time.at
    if basic.certificate is None or basic.conclusion.indication is Indication.FAILED:
        return False
    weak = (
        SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
        SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE,
        SubIndication.SIGNED_DATA_NOT_FOUND,
    )
    return all(d.sub_indication not in weak or d.is_healed_by(proven) for d in basic.doubts)


def _value_holds(validation: SignatureValidation) -> bool:
    evidence = validation.evidence
    if evidence.signing_certificate is None or evidence.suite is None:
        return False
    try:
        key = evidence.signing_certificate.public_key
        return key.verify(evidence.suite, evidence.signature_value, evidence.signed_bytes)
    except Refusal:
        return False


def _words_of_failure(validation: SignatureValidation) -> Text:
    sub = validation.basic.conclusion.sub_indication
    name = sub.value if sub is not None else "-"
    return Text(
        f"The cryptographic verification did not come to a clear result ({name}).",
        f"密码学验证未得出明确结论（{name}）。",
    )


def _issued_text(certificate: Certificate, path: CertificatePath) -> Text:
    subject, authority = certificate.subject_text(), path.authority.name
    return Text(
        f"The authority “{authority}” certified the key for {subject}.",
        f"认证机构“{authority}”为 {subject} 签发了该密钥的证书。",
    )


def _condition(number: int, answer: Answer, evidence: list[Text], limits: list[Text]) -> Condition:
    return Condition(number, _QUESTIONS[number - 1], answer, tuple(evidence), tuple(limits))
