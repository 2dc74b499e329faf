"""Begins the key agent where it is installed by itself.

In its own distribution this is the package `portseal_agent`, and what the agent needs of the house
lies below it in `house/`: it shares no name with another distribution, so that PortSeal itself may
be installed, upgraded and removed beside it.
"""

import sys
from pathlib import Path


def main() -> None:
    sys.path.insert(0, str(Path(__file__).with_name("house")))
    from key_agent.cli import main as run

    run()


if __name__ == "__main__":
    main()
