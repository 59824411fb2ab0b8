"""The demo: the whole chain over HTTP, as an operator, an approver and an auditor walk it."""

from cavra_cli.demo.walk import run

__all__ = ["run"]
