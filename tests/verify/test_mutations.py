"""Bundles that somebody without a key has changed, or with the wrong one: each is refuted or unreadable, and none breaks the verifier."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from cavra_verify.audit import Audit
from cavra_verify.bundle import Bundle, BundleError, LogPart, build, read
from cavra_verify.canonical import canonical, parse
from cavra_verify.chain import chain_of
from cavra_verify.claims.base import judge
from cavra_verify.heads import TraceHead
from cavra_verify.policy import PinnedKey, Policy
from cavra_verify.signatures import Checkpoint, Signer, open_checkpoint, sign_checkpoint
from cavra_verify.verify import CLAIMS, Verdict, verify
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.bundles import (
    Forger,
    bundle_of,
    checkpoint_of,
    file_of,
    first,
    forged,
    part_of,
    policy_of,
    size_after,
)
from tests.support.closed_chain import ClosedChain

STRANGER: Final = Signer.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
_CHUNKS: Final = 4


def refuted(verdict: Verdict) -> set[str]:
    """Names of the claims that were refuted."""
    assert verdict.exit_code in (1, 2), "the change went unnoticed"
    return {one.name for one in verdict.claims if one.status == "refuted"}


def holds(data: bytes, policy: Policy) -> bool:
    """Whether every claim holds; stops at the first that does not, as there are many files to look at."""
    try:
        bundle = read(data)
    except BundleError:
        return False
    if any(part.origin not in policy.logs for part in bundle.logs):
        return False
    chain = chain_of(bundle, policy, ())
    return all(judge(claim, chain).status == "holds" for claim in CLAIMS)


def short(chain: ClosedChain) -> bytes:
    """A small bundle: the first delivery alone, as it was before anybody planned a retry."""
    logs = {name: first(log, 0) for name, log in chain.logs.items()}
    delivery = chain.logs["delivery"]
    logs["delivery"] = first(delivery, size_after(delivery, "connector_delivery", 0))
    return file_of(replace(chain, logs=logs), since={"delivery": 2})


def flipped(data: bytes, at: int, bits: int) -> bytes:
    """`data` with one byte changed."""
    return data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :]


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_no_byte_of_a_bundle_can_be_another(chain: ClosedChain, policy: Policy, chunk: int) -> None:
    data = short(chain)
    assert holds(data, policy)
    for at in range(chunk, len(data), _CHUNKS):
        for bits in (0x01, 0x20):
            assert not holds(flipped(data, at, bits), policy), f"byte {at} is not accounted for"


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_no_byte_of_a_long_bundle_can_be_another(chain: ClosedChain, policy: Policy, chunk: int) -> None:
    data = file_of(chain, since={"delivery": 3, "retry": 5, "recovery": 2})
    assert holds(data, policy)
    # Within a record one byte is as good as another: its hash covers all. Of those a few, of the others more.
    inside = {at for start, end in _record_texts(data) for at in range(start, end)}
    outside = [at for at in range(len(data)) if at not in inside]
    few = random.Random(7).sample(sorted(inside), 300)
    for at in sorted([*random.Random(8).sample(outside, 900), *few])[chunk::_CHUNKS]:
        assert not holds(flipped(data, at, 0x01), policy), f"byte {at} is not accounted for"


def test_a_byte_of_any_other_value_anywhere_is_refuted_or_unreadable(
    chain: ClosedChain, policy: Policy
) -> None:
    """Through the verifier as an auditor runs it: all claims are decided, on whatever the byte made of the file."""
    drawn = random.Random(11)
    for data, times in ((short(chain), 400), (file_of(chain), 40)):
        assert verify(data, policy).exit_code == 0
        for _ in range(times):
            at, bits = drawn.randrange(len(data)), drawn.randrange(1, 256)
            assert verify(flipped(data, at, bits), policy).exit_code in (1, 2), (at, bits)


def _record_texts(data: bytes) -> list[tuple[int, int]]:
    found, at = [], 0
    for log in json.loads(data)["logs"]:
        for record in log["records"]:
            text = json.dumps(record["bytes"], ensure_ascii=False).encode()
            at = data.index(text, at)
            found.append((at, at + len(text)))
    return found


def indexed(data: bytes, index: bytes) -> bytes:
    """`data` with another index of its first record."""
    return re.sub(rb'"index":[0-9]+', b'"index":' + index, data, count=1)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-1], id="truncated by one byte"),
        pytest.param(lambda data: data[: len(data) // 2], id="truncated by half"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data + b"\n", id="one byte more"),
        pytest.param(lambda data: data + data, id="twice"),
        pytest.param(lambda data: data.replace(b'"head"', b'"head" ', 1), id="a space"),
        pytest.param(lambda data: data.replace(b'{"checkpoint"', b'{"checkpoint":"","checkpoint"', 1), id="a duplicate key"),
        pytest.param(lambda data: indexed(data, b"1.0"), id="a float"),
        pytest.param(lambda data: indexed(data, b"9007199254740992"), id="2 to the 53rd"),
        pytest.param(lambda data: indexed(data, b"-1"), id="a negative index"),
        pytest.param(lambda data: indexed(data, b'"0"'), id="an index as text"),
        pytest.param(lambda data: data.replace(b"bundle.v1", b"bundle.v2", 1), id="another version"),
        pytest.param(lambda data: b"[" * 200_000, id="deep nesting"),
        pytest.param(lambda data: b"\xff\xfe" + data, id="no UTF-8"),
        pytest.param(lambda data: b"null", id="null"),
        pytest.param(lambda data: b'{"logs":[],"schema_version":"cavra.bundle.v1","trace_id":[]}', id="a list for an id"),
        pytest.param(lambda data: data.replace(b'"proof":[', b'"proof":[99999,', 1), id="a place beyond the hashes"),
    ],
)  # fmt: skip
def test_what_is_no_bundle_is_unreadable(
    chain: ClosedChain, policy: Policy, damage: Callable[[bytes], bytes]
) -> None:
    data = file_of(chain)
    assert damage(data) != data
    verdict = verify(damage(data), policy)
    assert (verdict.exit_code, verdict.claims[0].name) == (2, "readable")


@pytest.mark.parametrize("brought", ["keys", "policy", "floors", "issuers", "roles", "verdict"])
@pytest.mark.parametrize("place", ["the file", "a log", "a head", "a record"])
def test_a_bundle_that_brings_a_key_or_a_policy_of_its_own_is_unreadable(
    chain: ClosedChain, policy: Policy, place: str, brought: str
) -> None:
    document = parse(file_of(chain))
    log = document["logs"][0]
    inner = {"the file": document, "a log": log, "a head": log["head"], "a record": log["records"][0]}[place]
    inner[brought] = [{"public_key": "A" * 43 + "="}]
    verdict = verify(canonical(document), policy)
    assert (verdict.exit_code, verdict.claims[0].name) == (2, "readable")


def part(bundle: Bundle, service: str) -> LogPart:
    """What a service's log shows."""
    (found,) = (one for one in bundle.logs if one.origin.endswith(f"/{service}"))
    return found


def with_part(bundle: Bundle, changed: LogPart) -> bytes:
    """The bundle with one log's part in place of what it had."""
    return build(
        replace(bundle, logs=tuple(changed if one.origin == changed.origin else one for one in bundle.logs))
    )


@pytest.mark.parametrize("service", ["delivery", "retry", "recovery"])
def test_no_record_can_be_dropped(chain: ClosedChain, policy: Policy, service: str) -> None:
    bundle = bundle_of(chain)
    whole = part(bundle, service)
    for at in range(len(whole.records)):
        fewer = replace(whole, records=whole.records[:at] + whole.records[at + 1 :])
        of_trace = chain.trace_id.encode() in whole.records[at].canonical
        claim = "dense" if of_trace else "causes"
        assert claim in refuted(verify(with_part(bundle, fewer), policy)), f"record {at}"


def test_a_cause_from_another_trace_is_shown_and_nothing_else_is(chain: ClosedChain, policy: Policy) -> None:
    bundle = bundle_of(chain)
    others = [one for one in part(bundle, "delivery").records if chain.trace_id.encode() not in one.canonical]
    assert len(others) == 1, "the failure that the playbook and the retry plans name too"
    context = [json.loads(one.canonical)["session_id"] for one in chain.logs["delivery"].records]
    more = part_of(chain.logs["delivery"], chain.trace_id, context)
    assert len(more.records) == len(chain.logs["delivery"].records)
    assert refuted(verify(with_part(bundle, more), policy)) == {"causes"}


@pytest.mark.parametrize("service", ["delivery", "retry", "recovery"])
def test_the_end_of_a_chain_cannot_be_cut_off(chain: ClosedChain, policy: Policy, service: str) -> None:
    bundle = bundle_of(chain)
    whole = part(bundle, service)
    for kept in range(len(whole.records)):
        head = replace(whole.head, count=kept, record_hash="")
        fewer = replace(whole, records=whole.records[:kept], head=head)
        assert "dense" in refuted(verify(with_part(bundle, fewer), policy)), f"cut at {kept}"


def test_an_end_that_was_signed_before_does_not_serve_for_a_longer_log(
    chain: ClosedChain, policy: Policy
) -> None:
    log = chain.logs["recovery"]
    before = replace(chain, logs={**chain.logs, "recovery": first(log, len(log.records) - 1)})
    old, bundle = part(bundle_of(before), "recovery"), bundle_of(chain)
    whole = part(bundle, "recovery")
    fewer = replace(whole, records=whole.records[:-1], head=old.head)
    assert "dense" in refuted(verify(with_part(bundle, fewer), policy))


@pytest.mark.parametrize("service", ["delivery", "retry", "recovery"])
def test_no_log_can_be_left_out(chain: ClosedChain, policy: Policy, service: str) -> None:
    bundle = bundle_of(chain)
    fewer = replace(bundle, logs=tuple(one for one in bundle.logs if one != part(bundle, service)))
    assert "complete" in refuted(verify(build(fewer), policy))


def test_records_cannot_be_swapped(chain: ClosedChain, policy: Policy) -> None:
    bundle = bundle_of(chain)
    whole = part(bundle, "retry")
    for at in range(len(whole.records) - 1):
        one, other = whole.records[at : at + 2]
        swapped = (
            replace(one, canonical=other.canonical, signature=other.signature),
            replace(other, canonical=one.canonical, signature=one.signature),
        )
        records = (*whole.records[:at], *swapped, *whole.records[at + 2 :])
        assert "inclusion" in refuted(verify(with_part(bundle, replace(whole, records=records)), policy))


def test_a_record_cannot_stand_twice(chain: ClosedChain, policy: Policy) -> None:
    bundle = bundle_of(chain)
    whole = part(bundle, "retry")
    twice = replace(whole, records=(whole.records[0], *whole.records))
    assert verify(with_part(bundle, twice), policy).claims[0].name == "readable"
    moved = replace(whole.records[-1], index=whole.records[-1].index + 1)
    later = replace(whole, records=(*whole.records, moved))
    assert "inclusion" in refuted(verify(with_part(bundle, later), policy))


def test_a_record_of_another_trace_does_not_pass_for_one_of_this(chain: ClosedChain, policy: Policy) -> None:
    other = replace(bundle_of(chain), trace_id="gordackdelivery-01a20000000000000000000000ff")
    assert {"causes", "dense", "complete"} <= refuted(verify(build(other), policy))


def test_a_signature_of_another_record_does_not_serve(chain: ClosedChain, policy: Policy) -> None:
    bundle = bundle_of(chain)
    whole = part(bundle, "recovery")
    first, last = whole.records[-2:]
    records = (*whole.records[:-1], replace(last, signature=first.signature))
    assert refuted(verify(with_part(bundle, replace(whole, records=records)), policy)) == {"signature"}


def _worse(forger: Forger) -> None:
    forger.one("closure").set(external_ref="OPS-9")


def test_a_history_rewritten_by_a_stranger_is_refuted_by_the_checkpoint(
    chain: ClosedChain, policy: Policy
) -> None:
    rewritten = forged(chain, _worse)
    logs = {name: replace(log, signer=STRANGER) for name, log in rewritten.logs.items()}
    found = refuted(verify(file_of(replace(rewritten, logs=logs)), policy))
    assert {"checkpoint", "inclusion", "dense"} <= found


def test_a_history_rewritten_by_the_log_itself_is_refuted_by_a_checkpoint_that_was_kept(
    chain: ClosedChain, policy: Policy
) -> None:
    rewritten = forged(chain, _worse)
    kept = checkpoint_of(chain.logs["recovery"])
    # At the size that was kept: two heads of one size with different roots.
    assert verify(file_of(rewritten), policy).exit_code == 0, "nothing else can tell"
    assert refuted(verify(file_of(rewritten), policy, [kept])) == {"consistency"}
    # Grown since: the new log's own proof leads from another root than the one that was kept.
    grown = forged(rewritten, _further_closure)
    size = len(chain.logs["recovery"].records)
    found = verify(file_of(grown, since={"recovery": size}), policy, [kept])
    assert refuted(found) == {"consistency"}


def _further_closure(forger: Forger) -> None:
    last = forger.one("closure")
    record_id = "gordackrecoveryclosure-01a20000000000000000000000fe"
    more = forger.add(last, record_id, last, closure_state="reopened", previous_state="resolved")
    more.rest_on(last)
    more.set(verification_refs=[])


def test_a_log_that_grew_extends_the_checkpoint_that_was_kept(chain: ClosedChain, policy: Policy) -> None:
    kept = [checkpoint_of(chain.logs["recovery"]), checkpoint_of(chain.logs["retry"], 7)]
    grown = forged(chain, _further_closure)
    since = {"recovery": len(chain.logs["recovery"].records), "retry": 7}
    verdict = verify(file_of(grown, since=since), policy, kept)
    assert verdict.exit_code == 0, verdict.claims


@pytest.mark.parametrize("case", ["no proof", "a newer one", "another log", "not signed", "nonsense"])
def test_a_kept_checkpoint_that_the_bundle_cannot_be_held_against_leaves_it_unchecked(
    chain: ClosedChain, policy: Policy, case: str
) -> None:
    log = chain.logs["retry"]
    note = {
        "no proof": checkpoint_of(log, 7),
        "a newer one": sign_checkpoint(Checkpoint(log.origin, 99, bytes(32)), log.signer),
        "another log": sign_checkpoint(Checkpoint("elsewhere/retry", 7, bytes(32)), log.signer),
        "not signed": checkpoint_of(log, 7, STRANGER),
        "nonsense": "\n\n",
    }[case]
    verdict = verify(file_of(chain), policy, [note])
    assert verdict.exit_code == 2
    assert [one.name for one in verdict.claims if one.status == "unchecked"] == ["consistency"]


def test_a_log_that_is_not_pinned_leaves_the_bundle_unchecked(chain: ClosedChain) -> None:
    fewer = {name: log for name, log in chain.logs.items() if name != "retry"}
    verdict = verify(file_of(chain), policy_of(fewer))
    assert (verdict.exit_code, verdict.claims[0].name) == (2, "pinned")


def with_key(chain: ClosedChain, **key: Any) -> Policy:
    """The policy with one key of retry, limited."""
    policy, log = policy_of(chain.logs), chain.logs["retry"]
    pinned = replace(policy.logs[log.origin], keys=(PinnedKey(log.signer.public, **key),))
    return replace(policy, logs={**policy.logs, log.origin: pinned})


def test_a_key_signs_only_its_part_of_the_log(chain: ClosedChain) -> None:
    data, size = file_of(chain), len(chain.logs["retry"].records)
    assert refuted(verify(data, with_key(chain, revoked="stolen"))) >= {"checkpoint", "signature"}
    assert refuted(verify(data, with_key(chain, until_index=9))) >= {"checkpoint", "signature"}
    assert refuted(verify(data, with_key(chain, from_index=9))) == {"signature"}
    assert verify(data, with_key(chain, until_index=size)).exit_code == 0


def test_keys_follow_each_other_in_one_log(chain: ClosedChain) -> None:
    log, policy = chain.logs["retry"], policy_of(chain.logs)
    data = file_of(replace(chain, logs={**chain.logs, "retry": replace(log, signer=STRANGER)}))
    size = len(log.records)
    keys = (PinnedKey(log.signer.public, 0, size), PinnedKey(STRANGER.public, size))
    pinned = replace(policy.logs[log.origin], keys=keys)
    assert verify(data, replace(policy, logs={**policy.logs, log.origin: pinned})).exit_code == 0


def test_a_checkpoint_with_a_further_signature_is_refused_in_a_bundle_and_taken_from_the_auditor(
    chain: ClosedChain, policy: Policy
) -> None:
    bundle = bundle_of(chain)
    whole = part(bundle, "retry")
    note = whole.checkpoint + "\u2014 witness.example AAAAAAAA\n"
    assert "checkpoint" in refuted(verify(with_part(bundle, replace(whole, checkpoint=note)), policy))
    log = chain.logs["retry"]
    assert open_checkpoint(note, whole.origin, log.signer.public).size == len(log.records)
    assert verify(file_of(chain), policy, [note]).exit_code == 0


def test_a_trace_head_says_what_it_is_about(chain: ClosedChain) -> None:
    log = chain.logs["retry"]
    head = TraceHead(log.origin, chain.trace_id, 18, 18, "f" * 64)
    others = [
        replace(head, origin="cavra.local/recovery"),
        replace(head, trace_id="gordackdelivery-01a20000000000000000000000ff"),
        replace(head, tree_size=19),
        replace(head, count=17),
        replace(head, record_hash="e" * 64),
    ]
    assert len({head.payload, *(one.payload for one in others)}) == 6


ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    2**53 - 1,
    "",
    "x",
    [],
    {},
    [[]],
    [None],
    {"a": {}},
    "\u2028",
    "9" * 70,
)


def _reshaped(document: dict[str, Any], chance: random.Random) -> None:
    """Put something odd, or nothing, in some place."""
    holder: Any = document
    while True:
        places = list(holder) if isinstance(holder, dict) else range(len(holder))
        place = chance.choice(list(places))
        below = holder[place]
        if isinstance(below, dict | list) and below and chance.random() < 0.7:
            holder = below
            continue
        if chance.random() < 0.3:
            del holder[place]
        else:
            holder[place] = chance.choice(ODD)
        return


@pytest.mark.parametrize("seed", range(4))
def test_no_shape_of_a_record_breaks_the_verifier_or_the_audit(
    chain: ClosedChain, policy: Policy, seed: int
) -> None:
    chance, bundle = random.Random(seed), bundle_of(chain)
    for _ in range(120):
        whole = chance.choice(bundle.logs)
        at = chance.randrange(len(whole.records))
        document = parse(whole.records[at].canonical)
        _reshaped(document, chance)
        data = canonical(document)
        if data == whole.records[at].canonical:
            continue
        changed = replace(whole.records[at], canonical=data)
        records = (*whole.records[:at], changed, *whole.records[at + 1 :])
        assert "inclusion" in refuted(verify(with_part(bundle, replace(whole, records=records)), policy))
        log = next(log for log in chain.logs.values() if log.origin == whole.origin)
        audit = Audit(policy, signatures=False)
        audit.replay(
            log.origin,
            (
                (index, data if index == changed.index else one.canonical, one.signature)
                for index, one in enumerate(log.records)
            ),
            checkpoint_of(log),
        )
        assert audit.report().violations.count > 0
