"""Fixed words of the PDF report, in both languages."""

from collections.abc import Mapping

from signing_service.validation.article13 import Text

PDF_WORDS: Mapping[str, Text] = {
    "title": Text("Signature verification report", "电子签名验证报告"),
    "TOTAL-PASSED": Text("The signature is valid", "签名有效"),
    "TOTAL-FAILED": Text("The signature is not valid", "签名无效"),
    "INDETERMINATE": Text("Whether the signature is valid cannot be told", "无法判定签名是否有效"),
    "verified-on": Text("Verified on", "验证时间"),
    "policy": Text("Policy", "验证策略"),
    "declaration": Text("Declaration", "单证类型"),
    "declarant": Text("Declaring enterprise", "申报单位"),
    "document-sha256": Text("SHA-256 of the document", "文件 SHA-256"),
    "signature-sha256": Text("SHA-256 of the signature file", "签名文件 SHA-256"),
    "signature": Text("Signature", "签名"),
    "signer": Text("Signer", "签名人"),
    "enterprise": Text("Enterprise", "企业"),
    "rights": Text("Rights at the time of signing", "签名时的权限"),
    "registry": Text("Registry", "注册记录"),
    "not-registered": Text(
        "This holder is not in the registry; the name is the certificate's.",
        "该持有人不在注册记录中，所示名称取自证书。",
    ),
    "proven-time": Text("Proven time", "可信时间"),
    "no-proof": Text("No timestamp proves the time.", "没有时间戳证明签名时间。"),
    "claimed-time": Text("The signer's own claim", "签名人声明的时间"),
    "format": Text("Format", "格式"),
    "observation": Text("Observation", "备注"),
    "article-13": Text(
        "The four conditions of article 13 of the Electronic Signature Law",
        "《电子签名法》第十三条的四项条件",
    ),
    "answer-yes": Text("yes", "是"),
    "answer-no": Text("no", "否"),
    "answer-not-proven": Text("not proven", "未能证明"),
    "limits": Text("What this does not prove:", "未能证明的事项："),
    "chain": Text("Certificate path", "证书路径"),
    "revocation": Text("Revocation", "证书状态"),
    "status-good": Text("in force", "有效"),
    "status-revoked": Text("revoked", "已吊销"),
    "status-unknown": Text("unknown", "未知"),
    "content-timestamp": Text("Timestamp of the content", "内容时间戳"),
    "signature-timestamp": Text("Timestamp of the signature", "签名时间戳"),
    "archive-timestamp": Text("Archive timestamp", "归档时间戳"),
    "counter-signature": Text("Counter-signature", "副署"),
    "evidence-record": Text("Evidence record", "证据记录"),
    "steps": Text("Steps (ETSI EN 319 102-1)", "验证步骤（ETSI EN 319 102-1）"),
}
