#!/usr/bin/env python3
"""A pinentry for tests: speaks Assuan, and asks the test over a socket instead of a person.

PORTSEAL_TEST_HUMAN names the Unix socket. One JSON line goes out for each window, one comes back:
{"pin": ...}, {"ok": true}, {"no": true}, {"cancel": true}, {"timeout": true}.
"""

import json
import os
import socket
import sys
from urllib.parse import unquote

CANCELED, NOT_CONFIRMED, TIMEOUT = 83886179, 83886194, 83886142


def main() -> None:
    shown: dict[str, str] = {}
    say("OK Pleased to meet you")
    for line in sys.stdin:
        command, _, argument = line.rstrip("\n").partition(" ")
        if command in {"GETPIN", "CONFIRM"}:
            answer = ask({"command": command, **shown})
            if "pin" in answer:
                say("D " + answer["pin"].replace("%", "%25"))
            if answer.get("no"):
                say(f"ERR {NOT_CONFIRMED} Not confirmed <Pinentry>")
            elif answer.get("timeout"):
                say(f"ERR {TIMEOUT} Timeout <Pinentry>")
            elif answer.get("cancel"):
                say(f"ERR {CANCELED} Operation cancelled <Pinentry>")
            else:
                say("OK")
        elif command == "BYE":
            say("OK")
            return
        else:
            if command.startswith("SET"):
                shown[command[3:].lower()] = unquote(argument)
            say("OK")


def say(line: str) -> None:
    print(line, flush=True)


def ask(window: dict[str, str]) -> dict[str, str]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as human:
        human.connect(os.environ["PORTSEAL_TEST_HUMAN"])
        with human.makefile("rw", encoding="utf-8") as conversation:
            conversation.write(json.dumps(window) + "\n")
            conversation.flush()
            answer: dict[str, str] = json.loads(conversation.readline() or '{"cancel": "gone"}')
            return answer


main()
