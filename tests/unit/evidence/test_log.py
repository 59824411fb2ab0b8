"""What an append makes: chains, causes, time, hashes, signatures, and what it refuses."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.ids import new_id
from cavra_evidence.log import LogState, RecordTooLarge, UnknownCause
from cavra_evidence.times import text
from cavra_verify.canonical import canonical, parse
from cavra_verify.envelope import EnvelopeError, served, stripped
from cavra_verify.kinds import BY_NOUN, KINDS
from cavra_verify.merkle import leaf_hash
from cavra_verify.signatures import RECORD_TYPE, verify_signature

from tests.support import naive_merkle
from tests.support.log import NOW, SIGNER, appended
from tests.support.records import actor, draft, draft_of_every_kind, record

KIND = BY_NOUN["connector_delivery"].kind
TRACES = tuple(new_id("gordackdelivery") for _ in range(3))


def test_the_tree_is_that_of_the_records_in_order() -> None:
    result = appended(*draft_of_every_kind())
    leaves = [naive_merkle.leaf(entry.canonical) for entry in result.entries]
    assert [entry.record_hash for entry in result.entries] == leaves
    assert [entry.index for entry in result.entries] == list(range(len(KINDS)))
    assert result.state.frontier.root() == naive_merkle.root(leaves)


def test_chains_are_dense_over_several_appends() -> None:
    first = appended(draft(traces=TRACES[:2]), draft(traces=TRACES[1:]))
    second = appended(draft(traces=TRACES), state=first.state, heads=first.heads)
    entries = [*first.entries, *second.entries]
    for trace in TRACES:
        previous, expected = "", 0
        for entry in entries:
            link = parse(entry.canonical)["chains"].get(trace)
            if link is not None:
                assert link == {"seq": expected, "prev": previous}
                previous, expected = entry.record_hash.hex(), expected + 1
        assert second.heads[trace].record_hash == previous
        assert second.heads[trace].seq == expected - 1


def test_a_trace_named_twice_is_one_link() -> None:
    entry = appended(draft(traces=(TRACES[0], TRACES[0]))).entries[0]
    assert parse(entry.canonical)["trace_ids"] == [TRACES[0]]


def test_a_cause_of_the_same_append_is_resolved() -> None:
    plan = draft("retry_plan")
    ack = draft("retry_ack", causes=(Cause(plan.record.record_id, plan.record.KIND.kind),))
    result = appended(plan, ack)
    cause = {
        "id": plan.record.record_id,
        "kind": plan.record.KIND.kind,
        "record_hash": result.entries[0].record_hash.hex(),
    }
    assert parse(result.entries[1].canonical)["causes"] == [cause]


def test_a_cause_of_the_same_log_is_looked_up_and_of_another_log_taken_as_named() -> None:
    own, foreign = Cause(new_id("gordackretry"), KIND), Cause(new_id("rcd"), KIND, "b" * 64)
    entry = appended(draft(causes=(own, foreign)), hashes={own.id: "a" * 64}).entries[0]
    assert [cause["record_hash"] for cause in parse(entry.canonical)["causes"]] == ["a" * 64, "b" * 64]


def test_a_record_cannot_rest_on_what_comes_after_it_or_nowhere() -> None:
    later = draft("retry_plan")
    cause = Cause(later.record.record_id, later.record.KIND.kind)
    with pytest.raises(UnknownCause):
        appended(draft(causes=(cause,)), later)


def test_time_never_runs_backwards_in_a_log() -> None:
    state, now = LogState(), NOW
    stamps = []
    for step in (0, 5, -3_600, 1, 7_200):
        now += timedelta(seconds=step)
        result = appended(draft(), draft(), state=state, now=now)
        state = result.state
        stamps += [entry.created_at for entry in result.entries]
    assert stamps == sorted(stamps)
    assert stamps[-1] == text(now)
    assert stamps[4] == stamps[2], "while the clock is behind, the last time stands"


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        appended(draft(), now=datetime(2026, 1, 1))  # noqa: DTZ001 that is the point


def test_a_record_of_more_than_48_kib_is_refused() -> None:
    routes = record("audit_package").model_dump()["routes"]
    large = type(record("audit_package").routes[0])(**{**routes[0], "notes": "\u00e9" * 2_000})  # type: ignore[attr-defined]
    with pytest.raises(RecordTooLarge):
        appended(draft("audit_package", routes=[large] * 50))


def test_records_that_claim_an_effect_are_signed_and_no_others() -> None:
    for made in draft_of_every_kind():
        entry = appended(made).entries[0]
        if made.record.KIND.signed:
            verify_signature(SIGNER.public, entry.signature, RECORD_TYPE, entry.canonical)
            assert entry.key_id == SIGNER.key_id
        else:
            assert (entry.signature, entry.key_id) == (b"", "")


@pytest.mark.parametrize("noun", [kind.noun for kind in KINDS])
def test_what_is_served_leads_back_to_the_bytes(noun: str) -> None:
    entry = appended(draft(noun, traces=TRACES)).entries[0]
    envelope = served(entry.canonical, "cavra.test/retry", 7)
    assert stripped(envelope) == entry.canonical
    assert envelope["record_hash"] == entry.record_hash.hex() == leaf_hash(entry.canonical).hex()
    assert envelope["log"] == {"origin": "cavra.test/retry", "index": 7}
    assert envelope["session_id"] == entry.id


@pytest.mark.parametrize(
    ("noun", "field"), [("execution_record", "execution_hash"), ("closure", "closure_hash")]
)
def test_the_hash_of_an_execution_and_of_a_closure_is_the_record_hash(noun: str, field: str) -> None:
    entry = appended(draft(noun)).entries[0]
    envelope = served(entry.canonical, "cavra.test/x", 0)
    assert envelope[field] == envelope[BY_NOUN[noun].key][field] == entry.record_hash.hex()
    assert field.encode() not in entry.canonical


@pytest.mark.parametrize("noun", [kind.noun for kind in KINDS])
def test_an_envelope_has_every_top_level_field_of_its_kind(noun: str) -> None:
    kind = BY_NOUN[noun]
    made = draft(noun)
    document = parse(appended(made).entries[0].canonical)
    body = made.record.body()
    for name in kind.top:
        assert name in document or name not in body, name
    for name in (
        "schema_version",
        "product",
        "session_id",
        "created_at",
        "signer",
        "decision_count",
        "blocked_count",
    ):
        assert name in document
    assert document["signer"] == document["actor"]["name"] == "alice"
    assert document["metadata_kind"] == kind.kind
    assert document[kind.key] == body


def test_bytes_of_an_unknown_kind_are_no_record() -> None:
    with pytest.raises(EnvelopeError):
        served(canonical({"metadata_kind": "other"}), "cavra.test/x", 0)
    with pytest.raises(EnvelopeError):
        stripped({"metadata_kind": "other"})


@pytest.mark.parametrize(
    ("iss", "sub", "name"),
    [
        ("cavra-local", "al\nice", "alice"),
        ("cavra-local", "alice", "<b>alice</b>"),
        ("cavra-local", "", "alice"),
        ("cavra local", "alice", "alice"),
        ("cavra-local", "alice", "".join(["pass", "word=", "correcthorse"])),
    ],
)
def test_an_actor_is_held_to_the_grammar_of_persons(iss: str, sub: str, name: str) -> None:
    with pytest.raises(ValueError, match=r"grammar|rule"):
        Actor(iss, sub, name)


@pytest.mark.parametrize(
    ("cause_id", "kind", "digest"),
    [("x", KIND, None), ("rcd-" + "0" * 28, "unknown", None), ("rcd-" + "0" * 28, KIND, "ab")],
)
def test_a_cause_is_an_id_a_kind_and_a_hash(cause_id: str, kind: str, digest: str | None) -> None:
    with pytest.raises(ValueError, match=r"grammar|unknown kind"):
        Cause(cause_id, kind, digest)


@pytest.mark.parametrize(
    "more",
    [
        {"trace_ids": ("not an id",)},
        {"trace_ids": tuple(new_id("gordackdelivery") for _ in range(51))},
        {"top": {"anything": 1}},
    ],
)
def test_a_draft_carries_nothing_that_its_envelope_has_no_place_for(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|grammar|no top-level"):
        Draft(record("retry_ack"), actor(), **more)
