"""Commands run in the test's own process."""

import pytest


@pytest.fixture(autouse=True)
def logs_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave logging alone: set up on the standard error that a command's runner closes, it would break whatever logs in a later test."""
    monkeypatch.setattr("cavra_cli.main.configure_logs", lambda level: None)
