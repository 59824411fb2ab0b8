"""Which records are what they are said to be: by their bytes, their kind and the signature of the service that holds them."""

from collections.abc import Iterable

import structlog
from cavra.evidence.v1 import evidence_pb2
from cavra_evidence.draft import Cause
from cavra_service.keys import ServiceKeys
from cavra_service.wire import cause_of
from cavra_verify.canonical import CanonicalError, parse
from cavra_verify.kinds import BY_KIND, kind_of_id

from cavra_recovery.domain.closures import Evidence

log = structlog.get_logger()


def genuine(records: Iterable[evidence_pb2.Record], service: str, keys: ServiceKeys) -> dict[str, Evidence]:
    """The genuine ones of the records that `service` gave, by id; what claims an effect counts only with a signature by one of `keys`.

    The others are left out and logged.
    """
    found = {}
    for record in records:
        try:
            found[record.id] = _evidence(record, service, keys)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("record_not_genuine", service=service, id=record.id, error=type(error).__name__)
    return found


def _evidence(record: evidence_pb2.Record, service: str, keys: ServiceKeys) -> Evidence:
    document = parse(record.canonical)
    kind = BY_KIND[document["metadata_kind"]]
    if document["session_id"] != record.id or kind_of_id(record.id) is not kind or kind.log != service:
        raise CanonicalError("got a record that is not the one it is said to be")
    if kind.signed:
        keys.verify(record.signature, record.canonical, record.index)
    return Evidence(
        Cause(record.id, kind.kind, cause_of(record).record_hash), record.index, document[kind.key]
    )
