"""What a report names by code or in English, in both languages: steps, sources, rights."""

from functools import lru_cache

from policies.rights import RightsCatalogue, load_rights
from signing_service.validation.article13 import Text
from signing_service.validation.indications import Step
from signing_service.validation.words import source_in_chinese

_STEPS = {
    Step.FORMAT_CHECKING: "格式检查",
    Step.IDENTIFICATION: "签名证书识别",
    Step.CONTEXT: "验证环境初始化",
    Step.FRESHNESS: "吊销信息时效检查",
    Step.CERTIFICATE: "X.509 证书验证",
    Step.CRYPTOGRAPHIC: "密码学验证",
    Step.ACCEPTANCE: "签名可接受性验证",
    Step.TIMESTAMP: "时间戳验证",
    Step.TIME: "带时间的签名验证",
    Step.PAST_CERTIFICATE: "历史证书验证",
    Step.SLIDING: "验证时间前移",
    Step.PAST_SIGNATURE: "历史签名验证",
}
_CHINESE_STEPS = {
    step.value: f"{step.value.partition(' ')[0]} {words}" for step, words in _STEPS.items()
}


def step_name(step: str) -> Text:
    """`5.2.2 format checking`: the clause stays, the words change."""
    return Text(step, _CHINESE_STEPS.get(step, step))


def source_name(source: str) -> Text:
    """Where a certificate's status comes from; numbers and addresses stay."""
    return Text(source, source_in_chinese(source))


def right_name(code: str) -> Text:
    """The right's name with its code; the code alone where the catalogue has it no longer."""
    right = _rights().right(code)
    if right is None:
        return Text(code, code)
    return Text(f"{right.name_en} ({code})", f"{right.name_zh}（{code}）")


@lru_cache(maxsize=1)
def _rights() -> RightsCatalogue:
    return load_rights()
