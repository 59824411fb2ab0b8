"""How many requests each part of the fuzzing sends. Every part holds itself to its share, and a test to their sum."""

from typing import Final

MUTATED: Final = (4, 1320)
"""(parts, requests of each): requests to the API that are right but for a few places."""
DESCRIBED: Final = 16
"""For each operation of the API and way of generating, as its description has it."""
DESCRIBED_SENT: Final = 1050
RAW: Final = 130
"""Bytes that no HTTP library would send."""
MESSAGES: Final = 44
"""For each RPC with a request that has fields."""
MESSAGES_SENT: Final = (1360, 1300)
"""In each part."""
BYTES: Final = 8
"""For each RPC: bytes that are no message."""
METADATA: Final = 6
"""For each RPC: calls with odd metadata."""
FORMS: Final = 4
"""For each of the console's forms and person."""
PAGES: Final = 4
"""For each of the console's pages."""
CONSOLE_SENT: Final = 330
