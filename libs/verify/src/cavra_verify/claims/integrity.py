"""Claims about bytes, logs and links: that every record is what its log committed to, and that nothing is missing between them."""

from collections.abc import Iterator
from itertools import pairwise

from cavra_verify.bundle import Earlier, LogPart
from cavra_verify.chain import Chain, Item, opened
from cavra_verify.claims.base import Claim, Unchecked
from cavra_verify.heads import TRACE_HEAD_TYPE, TraceHead
from cavra_verify.kinds import ENVELOPE_SCHEMA, PRODUCT, kind_of_id
from cavra_verify.merkle import ProofError, leaf_hash, verify_consistency, verify_inclusion
from cavra_verify.policy import PinnedLog
from cavra_verify.signatures import RECORD_TYPE, Checkpoint, SignatureError, verify_signature


def _canonical(chain: Chain) -> Iterator[str]:
    for unread in chain.unread:
        yield f"{unread.origin} {unread.index}: {unread.why}"
    for item in chain.items:
        document, body, kind = item.document, item.body, item.kind
        if kind.noun not in item.log.kinds:
            yield f"{item}: got it in the log {item.log.origin}, expected only what that may hold"
        if kind_of_id(item.id) is not kind or body[kind.id_field] != item.id:
            yield f"{item}: got an id that is not of its kind, or another one in the record"
        if (document["schema_version"], document["product"]) != (ENVELOPE_SCHEMA, PRODUCT):
            yield f"{item}: got an envelope of another version"
        if body["schema_version"] != kind.schema:
            yield f"{item}: got a record of schema {body['schema_version']!r:.80}, expected {kind.schema}"
        for name in kind.top:
            if name in document and name in body and document[name] != body[name]:
                yield f"{item}: got {name} in the envelope that differs from the record's"


def _checkpoints(chain: Chain) -> Iterator[str]:
    for part, log in chain.parts:
        head = chain.heads[log.origin]
        if isinstance(head, SignatureError):
            yield f"{log.origin}: {head}"
        elif part.records and part.records[-1].index >= head.size:
            yield f"{log.origin}: got record {part.records[-1].index} in a log of {head.size}"


def _signed(chain: Chain) -> Iterator[tuple[LogPart, PinnedLog, Checkpoint]]:
    """The logs whose head is signed: of the others, nothing can be shown."""
    for part, log in chain.parts:
        head = chain.heads[log.origin]
        if isinstance(head, Checkpoint):
            yield part, log, head


def _inclusion(chain: Chain) -> Iterator[str]:
    signed = list(_signed(chain))
    for part, log in chain.parts:
        if all(log is not one for _, one, _ in signed):
            yield f"{log.origin}: got no checkpoint that the proofs of {len(part.records)} records could lead to"
    for part, log, head in signed:
        for shown in part.records:
            try:
                leaf = leaf_hash(shown.canonical)
                verify_inclusion(leaf, shown.index, head.size, shown.proof, head.root)
            except ProofError as error:
                yield f"{log.origin} {shown.index}: {error}"


def _consistency(chain: Chain) -> Iterator[str]:
    earlier_of = {(part.origin, one.size): one for part, _ in chain.parts for one in part.earlier}
    heads = {log.origin: head for _, log, head in _signed(chain)}
    for (origin, size), earlier in earlier_of.items():
        try:
            if origin in heads:
                head = heads[origin]
                verify_consistency(size, head.size, earlier.proof, earlier.root, head.root)
        except ProofError as error:
            yield f"{origin}: from size {size}: {error}"
    for note in chain.since:
        origin = note.partition("\n")[0]
        if origin not in chain.policy.logs:
            raise Unchecked(f"the checkpoint of {origin[:80]!r} that you kept is of no log of the policy")
        try:
            kept = opened(note, chain.policy.logs[origin])
        except SignatureError as error:
            raise Unchecked(f"the checkpoint that you kept: {error}") from None
        if origin in heads:
            yield from _since(kept, heads[origin], earlier_of.get((origin, kept.size)))


def _since(kept: Checkpoint, head: Checkpoint, earlier: Earlier | None) -> Iterator[str]:
    """What speaks against `head` extending a head that the auditor kept."""
    if kept.size == 0:
        return
    if kept.size > head.size:
        raise Unchecked(
            f"you kept a checkpoint of {kept.origin} at {kept.size}, newer than the bundle's {head.size}"
        )
    if kept.size == head.size:
        if kept.root != head.root:
            yield (
                f"{kept.origin}: got root {head.root.hex()} at size {head.size}, expected {kept.root.hex()}, "
                "which you kept: one key signed two histories"
            )
        return
    if earlier is None:
        raise Unchecked(f"ask for a bundle with a consistency proof of {kept.origin} from size {kept.size}")
    if earlier.root != kept.root:
        yield (
            f"{kept.origin}: got root {earlier.root.hex()} at size {kept.size}, expected {kept.root.hex()}, "
            "which you kept: the log was rewritten"
        )


def _signatures(chain: Chain) -> Iterator[str]:
    for item in chain.items:
        signature = item.shown.signature
        if not item.kind.signed:
            if signature:
                yield f"{item}: got a signature, expected none on this kind"
            continue
        keys = [key for key in item.log.keys if key.signs_record(item.index)]
        if not any(_is_by(key.public, item, signature) for key in keys if not key.revoked):
            yield f"{item}: got a signature that is not by a key of {item.log.origin} good at {item.index}"


def _is_by(public: bytes, item: Item, signature: bytes) -> bool:
    try:
        verify_signature(public, signature, RECORD_TYPE, item.shown.canonical)
    except SignatureError:
        return False
    return True


def _causes(chain: Chain) -> Iterator[str]:
    named: set[str] = set()
    for item in chain.items:
        for cause in item.document["causes"]:
            found = chain.cause(cause)
            if found is None:
                if item.of_trace:
                    yield f"{item}: got {cause['id']} as a cause, expected it in the bundle with the hash named"
                continue
            if item.of_trace:
                named.add(found.hash)
            if found.log is item.log and not found.before(item):
                yield f"{item}: got {found} as a cause, expected one that stands before it in the log"
    for item in chain.items:
        if not item.of_trace and item.hash not in named:
            yield f"{item}: got a record that is neither of the trace nor a cause of one that is"


def _times(chain: Chain) -> Iterator[str]:
    for before, after in pairwise(chain.items):
        if before.log is after.log and before.document["created_at"] > after.document["created_at"]:
            yield f"{after}: got a time before that of {before}, which stands before it in the log"


def _chains(chain: Chain) -> Iterator[str]:
    trace_id = chain.bundle.trace_id
    for item in chain.items:
        if sorted(item.document["chains"]) != sorted(item.document["trace_ids"]):
            yield f"{item}: got links for other traces than it names"
    for part, log in chain.parts:
        prev, count = "", 0
        for item in chain.items:
            if item.log is not log or not item.of_trace:
                continue
            link = item.document["chains"][trace_id]
            if link != {"seq": count, "prev": prev}:
                yield f"{item}: got link {link['seq']!r:.20} in {log.origin}, expected {count} after {prev[:16] or 'none'}"
            prev, count = item.hash, count + 1
        yield from _trace_head(chain, part, log, count, prev)


def _trace_head(chain: Chain, part: LogPart, log: PinnedLog, count: int, newest: str) -> Iterator[str]:
    head = part.head
    said = TraceHead(log.origin, chain.bundle.trace_id, head.tree_size, head.count, head.record_hash)
    if (head.count, head.record_hash) != (count, newest):
        yield f"{log.origin}: got {count} records of the trace, expected {head.count} up to {head.record_hash[:16]}"
    for key in log.keys:
        if key.revoked or not key.signs_checkpoint(head.tree_size):
            continue
        try:
            verify_signature(key.public, head.signature, TRACE_HEAD_TYPE, said.payload)
        except SignatureError:
            continue
        break
    else:
        yield f"{log.origin}: got a trace head that no pinned key signed"
    signed = chain.heads[log.origin]
    if isinstance(signed, Checkpoint) and head.tree_size != signed.size:
        yield f"{log.origin}: got a trace head at size {head.tree_size}, expected {signed.size}, the checkpoint's"


def _complete(chain: Chain) -> Iterator[str]:
    for origin in chain.policy.logs.keys() - {part.origin for part, _ in chain.parts}:
        yield f"got nothing of {origin}, expected its head even if it holds no record of the trace"
    if not any(item.of_trace for item in chain.items):
        yield f"got no record of {chain.bundle.trace_id}, expected at least one"


CLAIMS = (
    Claim("canonical", "Every record's bytes are canonical, of a known kind, in that kind's log.", _canonical),
    Claim("checkpoint", "Each log's head is signed by a key that you pinned.", _checkpoints),
    Claim("inclusion", "Every record stands in its log, at its index, as it is shown.", _inclusion),
    Claim("consistency", "Each log extends the earlier heads that it is held against.", _consistency),
    Claim("signature", "Every decision, intent, delivery, execution and closure is signed by its service.", _signatures),
    Claim("causes", "Every cause is shown with the hash that is named, and is older than what rests on it.", _causes),
    Claim("times", "Within each log, time never runs back.", _times),
    Claim("dense", "The chain has no gap in any log, up to the end that the log signed.", _chains),
    Claim("complete", "Every log of the policy has its say.", _complete),
)  # fmt: skip
