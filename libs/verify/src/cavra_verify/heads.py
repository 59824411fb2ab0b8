"""Trace heads: a service's signed word on where a trace's chain ends in its log, so that nobody can cut the end off unseen."""

from dataclasses import asdict, dataclass
from typing import Final

from cavra_verify.canonical import canonical
from cavra_verify.signatures import Signer

TRACE_HEAD_TYPE: Final = "application/vnd.cavra.trace-head+json"
_SCHEMA: Final = "cavra.trace-head.v1"


@dataclass(frozen=True, slots=True)
class TraceHead:
    """Where the chain of one trace ends in one log."""

    origin: str
    trace_id: str
    tree_size: int
    """How many records the log held when this was said: the size of the checkpoint that it is shown with."""
    count: int
    """How many of them are of the trace; 0 says that the log knows nothing of it."""
    record_hash: str
    """Record hash of the newest of them, 64 hex digits; empty when there is none."""

    @property
    def payload(self) -> bytes:
        """What is signed: canonical JSON."""
        return canonical({"schema_version": _SCHEMA, **asdict(self)})

    def signed(self, signer: Signer) -> bytes:
        """The log's signature, 64 bytes."""
        return signer.sign(TRACE_HEAD_TYPE, self.payload)
