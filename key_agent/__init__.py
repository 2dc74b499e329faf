"""The key agent: a small program on the holder's computer that lets allowed pages use a USB key.

It shows what is asked for, asks for the PIN in a window of its own, and signs nothing that it has
not read itself (docs/key-agent.md).
"""

VERSION = "1.4.0"
PROTOCOL = 1
DEFAULT_PORT = 61235
