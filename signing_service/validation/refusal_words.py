"""Why something could not be read as a signature, in Chinese: by the refusal's code."""

_SUBJECTS = {
    "cms": "CMS 签名",
    "cades": "CAdES 签名",
    "der": "DER 编码",
    "ber": "BER 编码",
    "xml": "XML 文件",
    "xades": "XML 签名",
    "pdf": "PDF 文件",
    "pades": "PDF 签名",
    "jades": "JSON 签名",
    "json": "JSON 文本",
    "asic": "签名容器",
    "zip": "ZIP 文件",
    "certificate": "证书",
    "timestamp": "时间戳",
    "signature": "签名",
    "document": "文件",
    "algorithm": "算法",
    "oid": "对象标识符",
}
_FAULTS = {
    "malformed": "结构有误",
    "structure": "结构不符合要求",
    "too-many": "包含的签名或元素过多",
    "too-large": "过大",
    "too-complex": "过于复杂",
    "encoding": "编码不被接受",
    "dtd": "不得含有文档类型声明",
    "base64": "含有无效的 base64 内容",
    "transform": "使用了不被接受的转换",
    "references": "引用不符合要求",
    "external-reference": "引用了外部内容",
    "signed-properties": "已签名属性有误",
    "no-signature": "中没有签名",
    "missing": "中没有签名",
    "packaging": "封装方式与所提交的文件不符，请单独提交",
    "attributes": "属性有误",
    "byte-range": "签名范围有误",
    "contents": "签名内容有误",
    "encrypted": "已加密，无法读取",
    "duplicate": "含有重复的名称",
    "duplicate-id": "含有重复的标识",
    "bomb": "压缩比过高",
    "manifest": "清单有误",
    "mimetype": "媒体类型有误",
    "header": "头部有误",
    "critical": "含有无法理解的关键参数",
    "detached": "原文与签名不符",
    "canonicalisation": "没有规范形式",
    "unknown": "无法识别",
}


def refusal_in_chinese(code: str) -> str:
    """A short phrase for a code such as `xades.too-many`; what has no words keeps its code."""
    subject, _, fault = code.partition(".")
    told = _SUBJECTS.get(subject, "提交的内容") + _FAULTS.get(fault, "不符合要求")
    return told if fault in _FAULTS else f"{told}（{code}）"
