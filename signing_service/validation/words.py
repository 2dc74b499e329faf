"""Plain words for every reason of a conclusion, in English and Chinese: why, and what helps.

Keys are `Conclusion.reason`; the braces are filled from `Conclusion.facts`.
"""

from collections.abc import Mapping
from typing import NamedTuple

from signing_service.validation.indications import Conclusion


class Words(NamedTuple):
    why_en: str
    why_zh: str
    help_en: str = ""
    help_zh: str = ""


_ASK_SIGNER = (
    "Ask the signer to sign again with a card that is in force.",
    "请签名人使用有效的卡重新签名。",
)
_ADD_TIMESTAMP = (
    "A timestamp from before that time would prove that the signature is older.",
    "如有此时间之前的时间戳，即可证明签名在此之前已经存在。",
)
_GET_ORIGINAL = (
    "Obtain the document again from its signer, exactly as it was signed.",
    "请向签名人重新索取与签名时完全一致的文件。",
)
_ADD_AUTHORITY = (
    "If you know this authority and trust it, ask the operator of this service to add it.",
    "如果您了解并信任该认证机构，请联系本服务的运营方将其加入信任列表。",
)

WORDS: Mapping[str, Words] = {
    "passed": Words("Everything that was checked holds.", "各项检查均已通过。"),
    "format.unreadable": Words(
        "What was presented is not a signature that can be read: {detail}.",
        "提交的内容不是可以识别的签名：{detail_zh}。",
        "Present a CAdES signature (.p7s) with its document, or a signed XML document.",
        "请提交 CAdES 签名文件（.p7s）及其原文，或带签名的 XML 文件。",
    ),
    "format.nothing-signed": Words(
        "The signature covers nothing.", "该签名没有覆盖任何内容。", *_GET_ORIGINAL
    ),
    "format.no-signature-value": Words(
        "The signature holds no signature value.", "签名中没有签名值。", *_GET_ORIGINAL
    ),
    "format.too-many-timestamps": Words(
        "The signature carries more timestamps than are examined.",
        "签名携带的时间戳数量超过限制。",
    ),
    "certificate.not-found": Words(
        "The certificate of the signer is not in the signature.",
        "签名中找不到签名人的证书。",
        "Ask for the signature with its signing certificate included.",
        "请索取包含签名证书的签名文件。",
    ),
    "certificate.reference-differs": Words(
        "The signature refers to another certificate than the one it carries.",
        "签名所引用的证书与所携带的证书不一致。",
        "The certificate may have been exchanged; obtain the signature again from its signer.",
        "证书可能被替换，请向签名人重新索取签名。",
    ),
    "policy.not-available": Words(
        "The signature was made under the policy {policy}, which is not known here.",
        "该签名依据的签名策略 {policy} 在此不可用。",
    ),
    "policy.other-document": Words(
        "The signature names the policy {policy}, but not by the digest of its document here.",
        "该签名引用了签名策略 {policy}，但其摘要与此处的策略文件不符。",
    ),
    "policy.no-commitment": Words(
        "The signature does not make a commitment that its policy {policy} asks for.",
        "该签名未作出其签名策略 {policy} 所要求的承诺。",
    ),
    "path.none": Words(
        "No trusted authority stands behind the certificate; its issuer is {subject}.",
        "该证书无法追溯到受信任的认证机构，其颁发者为 {subject}。",
        *_ADD_AUTHORITY,
    ),
    "path.search-exhausted": Words(
        "Too many certificates had to be tried to find a path for {subject}.",
        "为 {subject} 查找证书路径时尝试次数过多。",
    ),
    "path.too-long": Words(
        "The chain of certificates is too long at {subject}.", "证书链过长：{subject}。"
    ),
    "path.library-missing": Words(
        "The signature on the certificate {subject} cannot be checked at present: the library for "
        "its algorithm is missing.",
        "目前无法检验证书 {subject} 上的签名：缺少其算法所需的密码库。",
        "Ask whoever runs this service to install OpenSSL 3's libcrypto.",
        "请服务运营方安装 OpenSSL 3 的 libcrypto。",
    ),
    "path.bad-signature": Words(
        "The certificate of {subject} names an authority that is trusted here, but was not signed "
        "with the key that is trusted.",
        "{subject} 的证书声明由此处信任的认证机构签发，但签发密钥不是此处信任的密钥。",
        "Another authority may bear the same name, or this one may have a key that is not trusted "
        "here. Compare its certificate with one that you obtained from the authority itself, and "
        "rely on nothing before that.",
        "可能是同名的另一机构，也可能是该机构尚未被此处信任的密钥。"
        "请与从该机构直接取得的证书核对；在此之前请勿信赖此签名。",
    ),
    "path.issuer-is-no-ca": Words(
        "{subject} issued a certificate without being an authority.",
        "{subject} 不是认证机构，却签发了证书。",
    ),
    "path.issuer-may-not-sign": Words(
        "{subject} may not sign certificates.", "{subject} 无权签发证书。"
    ),
    "path.length-exceeded": Words(
        "{subject} may not have so many authorities below it.", "{subject} 下级机构层数超出限制。"
    ),
    "path.name-not-permitted": Words(
        "A name in the chain lies outside the names that {subject} may certify.",
        "证书链中的名称超出 {subject} 获准签发的名称范围。",
    ),
    "path.unknown-critical-extension": Words(
        "The certificate of {subject} has a critical extension that is not understood here.",
        "{subject} 的证书含有无法识别的关键扩展项。",
    ),
    "path.authority-not-for-purpose": Words(
        "The authority “{authority}” is not trusted here for this purpose ({purpose}).",
        "认证机构“{authority}”未被信任用于此用途（{purpose}）。",
        *_ADD_AUTHORITY,
    ),
    "path.anchor-not-trusted-now": Words(
        "The authority “{authority}” is not trusted at the time of this check.",
        "认证机构“{authority}”在本次验证时不受信任。",
    ),
    "path.policy-required": Words(
        "The authorities above {subject} ask for certificate policies that the chain does not "
        "hold.",
        "{subject} 的上级机构要求特定证书策略，而证书链不满足。",
    ),
    "path.never-valid": Words(
        "There was no time at which all certificates of the chain were valid; {subject} expired "
        "first.",
        "证书链中的证书从未同时有效，最先过期的是 {subject}。",
    ),
    "path.ca-out-of-bounds": Words(
        "The authority's certificate {subject} is valid from {not_before} to {not_after} only.",
        "认证机构证书 {subject} 仅在 {not_before} 至 {not_after} 期间有效。",
        "A signature with long-term validation data can outlive its authority's certificate.",
        "带有长期验证数据的签名可以在机构证书过期后继续验证。",
    ),
    "certificate.not-yet-valid": Words(
        "The signer's certificate is valid only from {not_before}.",
        "签名人证书自 {not_before} 起才生效。",
        "Check the clocks, or verify again after that time.",
        "请检查时钟，或在该时间之后重新验证。",
    ),
    "certificate.expired": Words(
        "The signer's certificate expired on {not_after}, and nothing proves that the signature "
        "was made before.",
        "签名人证书已于 {not_after} 过期，且没有证据证明签名在此之前作出。",
        *_ADD_TIMESTAMP,
    ),
    "certificate.expired-status-unknown": Words(
        "The signer's certificate expired on {not_after}, and it cannot be told whether it had "
        "been revoked before.",
        "签名人证书已于 {not_after} 过期，且无法得知其此前是否被吊销。",
        "A revocation list or OCSP response from before the expiry would tell.",
        "如能提供过期之前的吊销列表或 OCSP 响应，即可判断。",
    ),
    "certificate.wrong-key-usage": Words(
        "The certificate of {subject} is not meant for signing documents (needed: {wanted}; "
        "found: {found}).",
        "{subject} 的证书不可用于文件签名（要求：{wanted}；实际：{found}）。",
        "Sign with the card's signing certificate.",
        "请使用卡内的签名证书进行签名。",
    ),
    "certificate.wrong-purpose": Words(
        "The certificate of {subject} is not meant for this purpose (needed: {wanted}; found: "
        "{found}).",
        "{subject} 的证书用途不符（要求：{wanted}；实际：{found}）。",
    ),
    "certificate.wrong-policy": Words(
        "The certificate of {subject} was issued under another policy than is accepted here "
        "(needed one of: {wanted}; found: {found}).",
        "{subject} 的证书策略不被接受（要求其一：{wanted}；实际：{found}）。",
    ),
    "revocation.unknown": Words(
        "Whether {subject} has been revoked could not be found out.",
        "无法查询 {subject} 的证书状态。",
        "Try again later, or present a revocation list or OCSP response with the signature.",
        "请稍后重试，或在签名中附上吊销列表或 OCSP 响应。",
    ),
    "revocation.not-issued": Words(
        "The authority has no record of having issued the certificate {subject}.",
        "认证机构没有签发证书 {subject} 的记录。",
        "Do not rely on it; report it to the authority.",
        "请勿信赖该证书，并向认证机构报告。",
    ),
    "revocation.stale": Words(
        "The latest word on the status of {subject} is from {this_update}: too old.",
        "{subject} 的证书状态信息时间为 {this_update}，已经过旧。",
        "Try again when newer status information is available.",
        "请在有更新的状态信息后重试。",
    ),
    "revocation.revoked": Words(
        "The certificate {subject} was revoked on {revoked_at} ({revocation_reason}), and "
        "nothing proves that the signature was made before.",
        "证书 {subject} 已于 {revoked_at} 被吊销（{revocation_reason}），"
        "且没有证据证明签名在此之前作出。",
        *_ASK_SIGNER,
    ),
    "revocation.on-hold": Words(
        "The certificate {subject} has been suspended since {revoked_at}.",
        "证书 {subject} 自 {revoked_at} 起被冻结。",
        "Try again when the suspension has ended.",
        "请在解除冻结后重试。",
    ),
    "revocation.ca-revoked": Words(
        "The authority's certificate {subject} was revoked on {revoked_at} ({revocation_reason}).",
        "认证机构证书 {subject} 已于 {revoked_at} 被吊销（{revocation_reason}）。",
        *_ADD_TIMESTAMP,
    ),
    "crypto.weak-certificate": Words(
        "The certificate {subject} rests on {algorithm}, which is no longer safe enough.",
        "证书 {subject} 所用算法 {algorithm} 已不够安全。",
        *_ASK_SIGNER,
    ),
    "crypto.weak-signature": Words(
        "The signature rests on {algorithm}, which is no longer safe enough.",
        "签名所用算法 {algorithm} 已不够安全。",
        *_ASK_SIGNER,
    ),
    "crypto.weak-timestamp": Words(
        "The timestamp rests on {algorithm}, which is no longer safe enough.",
        "时间戳所用算法 {algorithm} 已不够安全。",
    ),
    "crypto.unknown-algorithm": Words(
        "The signature algorithm {algorithm} is not accepted here.",
        "签名算法 {algorithm} 不被接受。",
        *_ASK_SIGNER,
    ),
    "crypto.library-missing": Words(
        "This service cannot check {algorithm} at present: the library that does is missing.",
        "本服务目前无法验证 {algorithm}：缺少所需的密码库。",
        "Ask whoever runs this service to install OpenSSL 3's libcrypto.",
        "请服务运营方安装 OpenSSL 3 的 libcrypto。",
    ),
    "data.not-found": Words(
        "What the signature covers ({name}) was not presented.",
        "未提交签名所覆盖的内容（{name}）。",
        "Present the signed document together with the signature.",
        "请将原文与签名一并提交。",
    ),
    "data.changed": Words(
        "What was signed ({name}) has been changed since it was signed.",
        "签名之后，被签名的内容（{name}）已被改动。",
        *_GET_ORIGINAL,
    ),
    "signature.wrong-value": Words(
        "The signature value was not made with the key of the signing certificate over this "
        "content.",
        "签名值与签名证书及内容不匹配。",
        *_GET_ORIGINAL,
    ),
    "signature.no-certificate-reference": Words(
        "The signature does not bind its signing certificate (no signed reference to it).",
        "签名未绑定签名证书（缺少已签名的证书引用）。",
        "Sign with a product that makes AdES baseline signatures.",
        "请使用能够生成 AdES 基线签名的软件重新签名。",
    ),
    "signature.not-whole-document": Words(
        "The signature does not cover the whole document that was presented.",
        "签名没有覆盖所提交文件的全部内容。",
        "Rely on nothing outside what was signed; obtain the document again from its signer.",
        "请勿信赖签名范围之外的内容，并向签名人重新索取文件。",
    ),
    "signature.level": Words(
        "The signature's level is {found}; accepted are {wanted}.",
        "签名级别为 {found}，可接受的级别为 {wanted}。",
    ),
    "signature.no-signing-time": Words(
        "The signature does not say when it was made.", "签名未声明签名时间。"
    ),
    "time.claimed-in-future": Words(
        "The signature claims to have been made in the future ({claimed}).",
        "签名声明的时间（{claimed}）在未来。",
        "Check the clock of the computer that signed.",
        "请检查签名所用计算机的时钟。",
    ),
    "time.claimed-after-proven": Words(
        "The signature claims the time {claimed}, but it existed at {proven} already.",
        "签名声明的时间为 {claimed}，但证据表明其在 {proven} 已经存在。",
        "Check the clock of the computer that signed.",
        "请检查签名所用计算机的时钟。",
    ),
    "time.no-proof": Words(
        "Nothing that is proven to have existed before {before} tells whether {subject} was in "
        "force.",
        "没有可证明在 {before} 之前已存在的证据表明 {subject} 当时有效。",
        "An archive timestamp over the validation data from before that time would prove it.",
        "如有此时间之前覆盖验证数据的归档时间戳，即可证明。",
    ),
    "time.before-certificate": Words(
        "The signature existed at {proven}, before its certificate became valid ({not_before}).",
        "签名在 {proven} 已经存在，早于证书生效时间（{not_before}）。",
    ),
    "timestamp.other-data": Words(
        "The timestamp belongs to other data.", "时间戳对应的是其他数据。"
    ),
    "timestamp.wrong-policy": Words(
        "The timestamp was made under the policy {found}, which is not accepted here.",
        "时间戳策略 {found} 不被接受。",
    ),
    "timestamp.inaccurate": Words(
        "The timestamp is accurate to {accuracy} seconds only.", "时间戳的精度仅为 {accuracy} 秒。"
    ),
    "timestamp.in-future": Words(
        "The timestamp names a time in the future.", "时间戳所载时间在未来。"
    ),
    "timestamp.order": Words(
        "The timestamps contradict each other in their order.", "各时间戳的先后顺序相互矛盾。"
    ),
}


def words_for(conclusion: Conclusion) -> Words:
    """The words for a conclusion, with its facts filled in."""
    template = WORDS[conclusion.reason]
    if not conclusion.facts:
        return template
    return Words(*(text.format_map(conclusion.facts) for text in template))


_SOURCES = {
    "the authority's own records": "认证机构自身的记录",
    "OCSP response": "OCSP 响应",
    "delta CRL": "增量吊销列表",
    "CRL": "吊销列表",
}


def source_in_chinese(source: str) -> str:
    """`StatusAnswer.source` for Chinese readers; numbers and addresses stay."""
    for english, chinese in _SOURCES.items():
        rest = source.removeprefix(english)
        if rest != source and (not rest or rest.startswith(" ")):
            return chinese + rest
    return source
