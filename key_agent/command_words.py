"""What the command line says, in Chinese and English."""

COMMAND_WORDS: dict[str, tuple[str, str]] = {
    "usage": ("用法：", "Usage: "),
    "options": ("选项", "Options"),
    "commands": ("命令", "Commands"),
    "help": ("显示此说明。", "Show this message and exit."),
    "version": ("显示版本。", "Show the version and exit."),
    "about": (
        "让您允许的网站使用您的 USB Key，每次都先询问您。",
        "Lets the web sites that you allow use your USB key, after asking you each time.",
    ),
    "run": ("启动密钥助手，直到按 Ctrl+C 为止。", "Serve pages until interrupted."),
    "run-port": ("网页查找密钥助手的端口。", "Where pages find the agent."),
    "run-module": (
        "PKCS#11 库的路径，可重复给出。",
        "PKCS#11 library; may stand several times.",
    ),
    "run-windows": (
        "在何处询问您：自动、pinentry 窗口或终端。",
        "Where you are asked: by itself, in pinentry's window or in the terminal.",
    ),
    "run-pinentry": ("使用哪个 pinentry 程序。", "Which pinentry to use."),
    "run-language": ("窗口和提示的语言。", "Language of the windows."),
    "started": (
        "PortSeal 密钥助手 {version}，地址 http://127.0.0.1:{port}; 按 Ctrl+C 结束",
        "PortSeal key agent {version} on http://127.0.0.1:{port}; Ctrl+C ends it",
    ),
    "library": ("  PKCS#11 库：{path}", "  PKCS#11 library: {path}"),
    "no-library": (
        "  本机没有 USB Key 的 PKCS#11 库：请安装厂商提供的库或 OpenSC",
        "  no PKCS#11 library of a USB key is here: install its maker's, or OpenSC",
    ),
    "log": (
        "显示密钥助手的使用记录，最新的在最后。",
        "Show how the agent was used, the newest last.",
    ),
    "log-json": (
        "按保存的原样显示，每行一个 JSON 对象。",
        "As it is kept, one JSON object a line.",
    ),
    "log-count": ("显示最近多少条。", "How many of the newest."),
    "log-agreed": ("只显示您确认过的使用。", "Only what you were asked about and agreed to."),
    "log-empty": ("还没有使用记录。", "It has not been used yet."),
    "origins": ("可以使用密钥助手的网站。", "The web sites that may use the agent."),
    "origins-list": ("列出网站。", "Show them."),
    "origins-none": ("还没有网站询问过。", "No site has asked yet."),
    "origins-allow": (
        "允许一个网站，可见目前插入的证书。",
        "Allow a site, with the certificates that are plugged in now.",
    ),
    "origins-refuse": ("拒绝一个网站，不再询问。", "Refuse a site without being asked again."),
    "origins-forget": (
        "忘记对一个网站的决定：下次会再询问。",
        "Forget what was said of a site: it will be asked about again.",
    ),
    "allowed": ("允许", "allowed"),
    "refused": ("拒绝", "refused"),
    "sees": ("可见证书 {count} 张", "sees {count} certificates"),
    "now-allowed": (
        "{origin} 可以使用密钥助手，可见证书 {count} 张",
        "{origin} may use the agent and see {count} certificates",
    ),
    "now-refused": ("已拒绝 {origin}", "{origin} is refused"),
    "now-forgotten": ("已忘记 {origin}", "{origin} is forgotten"),
    "not-known": ("没有 {origin} 的记录", "{origin} was not known"),
    "change-pin": (
        "修改 USB Key 的 PIN，在密钥助手的窗口或终端中输入。",
        "Change the PIN of a USB key, typed in the agent's window or the terminal.",
    ),
    "change-pin-token": (
        "USB Key 的名称或序列号，插入多个时需要。",
        "Label or serial number of the USB key, where several are plugged in.",
    ),
    "pin-changed": ("已修改 {token} 的 PIN", "the PIN of {token} is changed"),
    "autostart": ("登录系统时自动启动密钥助手。", "Start the agent at login."),
    "autostart-off": ("不再自动启动。", "Do not start it any more."),
    "starts": ("登录时将自动启动：{path}", "the agent is started at login: {path}"),
    "starts-no-more": ("登录时不再自动启动", "the agent is not started at login"),
    "started-not": ("原本就没有自动启动", "the agent is not started at login (nor was it)"),
    "tokens": (
        "显示已插入的 USB Key 和其中的证书。",
        "Show what is plugged in, and the certificates on it.",
    ),
    "tokens-none": ("没有插入 USB Key。", "No USB key is plugged in."),
    "blank": ("空白", "blank"),
    "locked": ("已锁定", "locked"),
    "ready": ("可用", "ready"),
    "valid-until": ("{subject}，有效期至 {date}", "{subject}, valid until {date}"),
}

USES: dict[str, tuple[str, str]] = {
    "connect": ("请求使用 USB Key", "use the USB key"),
    "tokens": ("查看 USB Key", "look for USB keys"),
    "initialise": ("初始化空白 USB Key", "make a blank USB key ready"),
    "make_key": ("生成签名密钥", "make a signing key"),
    "write_certificates": ("写入证书", "write a certificate"),
    "make_transport_key": ("领取加密密钥", "fetch the encryption key"),
    "install_encryption_key": ("装入加密密钥", "install an encryption key"),
    "sign_in": ("登录", "sign in"),
    "sign_renewal": ("换发证书", "renew the card"),
    "sign": ("签署一份文件", "sign a document"),
    "sign_bundle": ("签署多份文件", "sign several documents"),
    "sign_tree": ("以一个签名签署多份文件", "sign several documents under one signature"),
    "change_pin": ("修改 PIN", "change the PIN"),
    "unlock": ("解锁", "unlock the USB key"),
    "can_watch": ("询问能否感知拔出", "ask about pulling the USB key"),
    "presence": ("告知网站 USB Key 已拔出", "tell the site that the USB key is pulled"),
    "watch": ("拔出 USB Key 时结束会话", "end the session when the USB key is pulled"),
}
"""What a method of the agent means to its user."""

OUTCOMES: dict[str, tuple[str, str]] = {
    "done": ("已完成", "done"),
    "agent.cancelled": ("您已取消", "you cancelled"),
    "agent.timed-out": ("无人应答", "nobody answered"),
    "agent.busy": ("已有窗口", "another window was open"),
    "agent.paused": ("取消过多，暂停", "paused: cancelled too often"),
    "origin.unknown": ("尚未询问您", "you were not asked yet"),
    "origin.refused": ("您拒绝了该网站", "you refused this site"),
    "request.too-many": ("请求过多", "too many requests"),
    "token.pin-wrong": ("PIN 错误", "wrong PIN"),
    "token.locked": ("USB Key 已锁定", "the USB key is locked"),
    "token.missing": ("USB Key 未插入", "not plugged in"),
    "token.none": ("没有 USB Key", "no USB key"),
    "token.no-library": ("没有 PKCS#11 库", "no PKCS#11 library"),
    "card.no-certificate": ("没有证书", "no certificate"),
    "card.not-shown": ("您没有让它看到这张卡", "you did not show it the card"),
}
"""What became of a use; any other code is said as it is."""

REFUSALS: dict[str, str] = {
    "agent.port": "端口已被占用：密钥助手是否已在运行？",
    "window.failed": "既没有 pinentry 程序，也没有终端可以询问您",
    "settings.malformed": "设置文件 agent.toml 有误",
    "origin.unacceptable": "请写网站的完整来源，如 https://id.example",
    "token.module": "无法使用 USB Key 的 PKCS#11 库",
    "token.no-library": "本机没有 USB Key 的 PKCS#11 库",
    "token.pin-wrong": "PIN 错误",
    "token.locked": "PIN 输错次数过多，USB Key 已自行锁定",
    "token.none": "没有插入这样的 USB Key",
    "token.several": "插入了多个 USB Key，请用 --token 指明：{tokens}",
    "agent.cancelled": "您已取消",
    "agent.timed-out": "未在规定时间内作答",
    "pin.weak": "PIN 太短、太长或太容易被猜到",
    "file.locked": "密钥助手的另一个进程没有放开文件",
    "origins.too-many": "记住的网站太多，请先忘记一些",
}
"""Sentences of refusals that the command line meets, in Chinese."""
