"""`python -m cavra_cli` is the `cavra` command."""

from cavra_cli.main import main

main()
