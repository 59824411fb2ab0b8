"""What holds for the whole suite."""

import os

import pytest

# What a helper asserts, it says as a test does: with the values, not with a bare AssertionError.
pytest.register_assert_rewrite("tests.support")


def pytest_xdist_auto_num_workers() -> int:
    """Two workers to a core: much of a test is waiting for services to start, for a browser, for the disk."""
    return 2 * (os.cpu_count() or 1)
