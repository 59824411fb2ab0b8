"""Libraries of others that the console ships are those that are written down."""

import hashlib
import re
from pathlib import Path

import cavra_gateway.console

VENDOR = Path(cavra_gateway.console.__file__).parent / "static" / "vendor"


def test_each_vendored_file_is_the_one_that_is_written_down() -> None:
    listed = dict(
        re.findall(
            r"^(\S+\.(?:js|css)) .* ([0-9a-f]{64})\b", (VENDOR / "VENDORED.txt").read_text(), re.MULTILINE
        )
    )
    there = {
        one.name: hashlib.sha256(one.read_bytes()).hexdigest()
        for one in VENDOR.iterdir()
        if one.suffix != ".txt"
    }
    assert there == listed
