"""`python -m portseal.cli` is `portseal`."""

from portseal.cli.main import main

main()
