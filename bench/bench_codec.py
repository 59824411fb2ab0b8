"""What a record costs before it is stored: canonical bytes, hashes, signatures, the tree."""

from collections.abc import Iterator

import rfc8785
from cavra_evidence.log import LogState, append, encoded
from cavra_verify.canonical import canonical, parse
from cavra_verify.merkle import Frontier, leaf_hash
from cavra_verify.signatures import RECORD_TYPE, verify_signature

from bench.row import Row, per_second
from tests.support.log import NOW, SIGNER
from tests.support.records import draft


def rows() -> Iterator[Row]:
    """Figures of one core, in this process."""
    made = draft("execution_record")
    entry = append(LogState(), [made], NOW, SIGNER, {}, {}).entries[0]
    document, size = parse(entry.canonical), len(entry.canonical)
    yield Row(
        f"canonical bytes and hash ({size} B)",
        per_second(lambda: leaf_hash(encoded(document))),
        "/s",
        "stack: 285,000",
    )
    yield Row(
        "the same by rfc8785", per_second(lambda: leaf_hash(rfc8785.dumps(document))), "/s", "stack: 11,000"
    )
    yield Row("the same by the verifier", per_second(lambda: leaf_hash(canonical(document))), "/s")
    yield Row(
        "parse, check form, hash",
        per_second(lambda: leaf_hash(entry.canonical) and parse(entry.canonical)),
        "/s",
    )
    yield Row(
        "sign a record", per_second(lambda: SIGNER.sign(RECORD_TYPE, entry.canonical)), "/s", "stack: 22,700"
    )
    check = lambda: verify_signature(SIGNER.public, entry.signature, RECORD_TYPE, entry.canonical)  # noqa: E731
    yield Row("verify a signature", per_second(check), "/s", "stack: 8,300")
    yield Row("append a leaf to the tree", per_second(_Growing().step), "/s", "stack: 334,000")
    yield Row("make a record (model and rules)", per_second(lambda: draft("retry_ack")), "/s")
    plain = draft("retry_ack")
    yield Row(
        "draft to entry, unsigned", per_second(lambda: append(LogState(), [plain], NOW, SIGNER, {}, {})), "/s"
    )
    yield Row(
        "draft to entry, signed", per_second(lambda: append(LogState(), [made], NOW, SIGNER, {}, {})), "/s"
    )


class _Growing:
    def __init__(self) -> None:
        self.frontier, self.leaf = Frontier(), leaf_hash(b"x")

    def step(self) -> None:
        self.frontier, _ = self.frontier.append(self.leaf)
