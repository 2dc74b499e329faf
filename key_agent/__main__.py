"""`python -m key_agent`."""

from key_agent.cli import main

main()
