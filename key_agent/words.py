"""The agent's own words, in Chinese and English."""

import locale
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

Language = Literal["zh", "en"]

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("PortSeal 密钥助手", "PortSeal key agent"),
    "site": ("网站：{origin}", "Site: {origin}"),
    "own-command": ("由您本人在命令行启动", "Started by you, on the command line"),
    "connect": ("该网站请求使用您的 USB Key。", "This site asks to use your USB key."),
    "connect-sees": ("它将能看到这些证书：", "It would see these certificates:"),
    "connect-none": ("当前没有可供它查看的证书。", "There are no certificates for it to see now."),
    "connect-only": (
        "仅在您信任该网站时才允许。",
        "Allow this only for a site that you trust.",
    ),
    "connect-more": ("该网站请求查看另一张卡。", "This site asks to see another card."),
    "connect-keeps": (
        "拒绝不影响它已能看到的卡。",
        "If you refuse, it still sees the cards that it saw before.",
    ),
    "allow": ("允许", "Allow"),
    "refuse": ("拒绝", "Refuse"),
    "next": ("下一页", "Next"),
    "cancel": ("取消", "Cancel"),
    "sign-in": ("请求用您的卡登录。", "It asks to sign you in with your card."),
    "confirm": ("请求用您的卡确认下列事项：", "It asks you to confirm with your card:"),
    "confirm-for": ("平台：{platform}", "Platform: {platform}"),
    "sign": ("请求签署：{kind}", "It asks you to sign: {kind}"),
    "sign-many": ("请求签署 {count} 份文件", "It asks you to sign {count} documents"),
    "make-key": (
        "请求在 USB Key 内生成签名密钥。",
        "It asks to make a signing key on the USB key.",
    ),
    "renew-key": (
        "请求用已有密钥申请新证书。",
        "It asks to request a certificate for the existing key.",
    ),
    "renew-card": (
        "请求为您的卡换发证书：由旧密钥为新密钥作证。",
        "It asks to renew your card: the old key vouches for a new one.",
    ),
    "old-key": ("旧密钥：{digest}", "Old key: {digest}"),
    "new-key": ("新密钥：{digest}", "New key: {digest}"),
    "write": ("请求将证书写入 USB Key。", "It asks to write a certificate onto the USB key."),
    "ask-encryption": (
        "请求为您的卡领取加密密钥。",
        "It asks to fetch the encryption key of your card.",
    ),
    "install": (
        "请求将加密密钥装入 USB Key。",
        "It asks to install an encryption key on the USB key.",
    ),
    "initialise": (
        "请求初始化空白 USB Key“{label}”。",
        "It asks to make the blank USB key “{label}” ready.",
    ),
    "change-pin": ("请求修改 PIN。", "It asks to change the PIN."),
    "change-own-pin": ("修改 USB Key 的 PIN。", "The PIN of the USB key is changed."),
    "unlock": ("请求解锁并设置新 PIN。", "It asks to unlock the USB key with a new PIN."),
    "code-goes": (
        "可重设 PIN 的解锁码将加密交给该网站所给密钥的持有者：",
        "The code that can reset the PIN goes, sealed, to the holder of this key:",
    ),
    "code-key": ("密钥：{digest}", "Key: {digest}"),
    "card": ("证书：{subject}", "Certificate: {subject}"),
    "until": ("有效期至：{date}", "Valid until: {date}"),
    "token": ("USB Key：{label}", "USB key: {label}"),
    "serial": ("序列号：{serial}", "Serial number: {serial}"),
    "format": ("签名格式：{format}", "Signature: {format}"),
    "commitment": ("签名承诺：{value}", "Commitment: {value}"),
    "type": ("文件类型：{value}", "Type of the document: {value}"),
    "role": ("声明的身份：{value}", "Claimed role: {value}"),
    "policy": ("签名策略：{value}", "Signature policy: {value}"),
    "file": ("文件：{name}", "File: {name}"),
    "size": ("大小：{size} 字节", "Size: {size} octets"),
    "digest": ("SHA-256：{digest}", "SHA-256: {digest}"),
    "copy": ("可在此查看：{path}", "Read it here: {path}"),
    "copies": ("全部文件及清单可在此逐一查看：{path}", "Every document, and a list of all: {path}"),
    "named": ("签名中的文件名：{name}", "Named in the signature: {name}"),
    "upon": ("副署于此人的签名之上：{subject}", "Upon the signature of: {subject}"),
    "reason": ("签署原因：{value}", "Reason: {value}"),
    "location": ("签署地点：{value}", "Place: {value}"),
    "contact": ("联系方式：{value}", "Contact: {value}"),
    "field": ("签名域：{value}", "Signature field: {value}"),
    "seal": (
        "第 {page} 页（共 {pages} 页）将显示签章，图样请看上述副本。",
        "A visible seal on page {page} of {pages}; the copy shows what it looks like.",
    ),
    "seal-place": ("签章位置（点）：{place}", "Place of the seal, in points: {place}"),
    "certifies-1": (
        "签名将认证此文件：之后不得再作任何改动。",
        "It certifies the document: nothing may be changed afterwards.",
    ),
    "certifies-2": (
        "签名将认证此文件：之后只可填写表单和签名。",
        "It certifies the document: only forms may be filled in and signatures added afterwards.",
    ),
    "certifies-3": (
        "签名将认证此文件：之后只可填写表单、签名和批注。",
        "It certifies the document: forms, signatures and notes may be added afterwards.",
    ),
    "locks-All": (
        "签名将锁定所有表单域：之后不得再改。",
        "It locks every form field: none may be changed afterwards.",
    ),
    "locks-Include": (
        "签名将锁定下列表单域，之后不得再改：{fields}",
        "It locks these form fields, which may not be changed afterwards: {fields}",
    ),
    "locks-Exclude": (
        "签名将锁定除下列以外的所有表单域，之后不得再改：{fields}",
        "It locks every form field but these, and none may be changed afterwards: {fields}",
    ),
    "element": (
        "仅签署文件中的此部分：{name}",
        "It signs only this part of the file: {name}",
    ),
    "also": ("同一签名还签署：{kind}", "The same signature also signs: {kind}"),
    "one-signature": (
        "以一个签名签署全部，每份文件交给各自的机构：",
        "One signature for all, each document for its agency:",
    ),
    "recipient": ("交给：{name}", "For: {name}"),
    "more": ("……另有 {count} 项", "… and {count} more"),
    "unknown-kind": ("未知类型的文件", "a document of unknown kind"),
    "pdf": ("PDF 文件", "a PDF document"),
    "text": ("文本文件", "a text"),
    "few-tries": ("注意：PIN 曾输错。", "Note: a wrong PIN was entered before."),
    "last-try": (
        "警告：仅剩一次机会，再输错 USB Key 将锁定！",
        "Warning: one more wrong PIN locks the USB key!",
    ),
    "pin": ("PIN：", "PIN:"),
    "old-pin": ("现在的 PIN：", "Present PIN:"),
    "new-pin": ("新 PIN：", "New PIN:"),
    "pin-rule": (
        "PIN 为 {shortest} 至 {longest} 个字符，不可全部相同或连续。",
        "A PIN has {shortest} to {longest} characters, not all alike or in a row.",
    ),
    "weak-pin": (
        "刚才的 PIN 太容易被猜到，请另选一个。",
        "That PIN is too easily guessed: choose another.",
    ),
    "again": ("再次输入新 PIN：", "New PIN again:"),
    "differ": ("两次输入不一致", "The two PINs differ"),
    "secret": ("一次性密码：", "One-time secret:"),
    "code": ("解锁码：", "Unblocking code:"),
}


class Words:
    """One language's words."""

    def __init__(
        self, language: Language, catalogue: Mapping[str, tuple[str, str]] = _WORDS
    ) -> None:
        self.language = language
        self._catalogue = catalogue
        self._column = 0 if language == "zh" else 1

    def __call__(self, word: str, /, **values: object) -> str:
        return self._catalogue[word][self._column].format(**values)

    def choose(self, zh: str, en: str) -> str:
        return (zh, en)[self._column]


def chosen_language(home: Path) -> Language | None:
    """What `agent.toml` names, read by itself: help needs nothing else of the settings, and what is
    wrong with those is told to whoever runs the agent."""
    try:
        told = tomllib.loads((home / "agent.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    chosen: dict[object, Language] = {"zh": "zh", "en": "en"}
    return chosen.get(str(told.get("language")))


def user_language() -> Language:
    """Chinese where the user's own locale is Chinese, or says nothing; English otherwise."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "zh" if value.lower().startswith(("zh", "c.", "posix")) else "en"
    told = locale.getlocale()[0]
    return "zh" if told is None or told.lower().startswith(("zh", "chinese")) else "en"
