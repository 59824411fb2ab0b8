"""A record holds what its closed schema allows and no credential: by the services' models and, the same, by the verifier."""

from typing import Any

import pytest
from cavra_evidence.guard import GuardError, kept_headers, kept_url
from cavra_verify.kinds import BY_NOUN, KINDS
from cavra_verify.public_safe import check, registry
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.support.labelled import (
    SECRETS,
    clean_documents,
    clean_references,
    document,
    documents,
    joined,
    replaced,
    some,
    text_fields,
)
from tests.support.records import MODELS, record
from tools import generate_registry

SAMPLES = documents()
NOUNS = sorted(SAMPLES)
CLOSED_TEXTS = [secret for _, _, secret in SECRETS]


def test_the_registry_says_what_the_models_say() -> None:
    assert generate_registry.TARGET.read_text(encoding="utf-8") == generate_registry.text()
    assert set(registry()["kinds"]) == {kind.kind for kind in KINDS}


@pytest.mark.parametrize("noun", NOUNS)
def test_a_record_as_its_service_writes_it_is_public_safe(noun: str) -> None:
    assert check(SAMPLES[noun]) == []


def test_ordinary_records_are_left_alone() -> None:
    for made in clean_documents(500):
        assert check(made) == []
    for reference in clean_references(100):
        record("retry_ack", external_ref=reference)


@pytest.mark.parametrize("noun", NOUNS)
def test_no_credential_fits_any_text_of_a_record(noun: str) -> None:
    for at, path in enumerate(text_fields(SAMPLES[noun])):
        free = path[-1] in ("notes", "external_ref")
        for kind, _, secret in SECRETS if free else SECRETS[at % 11 :: 11]:
            assert check(replaced(SAMPLES[noun], path, secret)), (path, kind)


@pytest.mark.parametrize("noun", NOUNS)
def test_the_models_refuse_a_credential_in_any_text(noun: str) -> None:
    body = SAMPLES[noun][BY_NOUN[noun].key]
    body = {name: value for name, value in body.items() if name not in ("schema_version", "product")}
    MODELS[noun].model_validate(body)
    for at, path in enumerate(text_fields(body)):
        changed = replaced(body, path, SECRETS[at % len(SECRETS)][2])
        with pytest.raises(ValidationError):
            MODELS[noun].model_validate(changed)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from([*CLOSED_TEXTS, "CHG-1", "webhook", "x" * 300, "y" * 2_001, "rcd-" + "0" * 28, "0" * 64, "warning", "step:a"]),
    st.just([]),
    st.just({}),
    st.just([{}]),
)  # fmt: skip


def body_paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in parts:
        found += body_paths(item, (*path, name))
    return found


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_models_and_registry_give_the_same_verdict(data: st.DataObject) -> None:
    noun = data.draw(st.sampled_from(NOUNS))
    kind = BY_NOUN[noun]
    body = {
        name: value
        for name, value in SAMPLES[noun][kind.key].items()
        if name not in ("schema_version", "product")
    }
    path = data.draw(st.sampled_from(body_paths(body)))
    changed = replaced(body, path, data.draw(VALUES))
    try:
        MODELS[noun].model_validate(changed)
        valid = True
    except ValidationError:
        valid = False
    own = {name: SAMPLES[noun][kind.key][name] for name in ("schema_version", "product")}
    assert (check({**SAMPLES[noun], kind.key: {**own, **changed}}) == []) == valid, (noun, path)


@pytest.mark.parametrize(
    ("path", "value", "finding"),
    [
        (("product",), "OTHER", ("product", "constant")),
        (("schema_version",), "cavra.other.v1", ("schema_version", "constant")),
        (("acknowledgement", "schema_version"), "cavra.other.v1", ("acknowledgement.schema_version", "constant")),
        (("actor", "name"), "<b>", ("actor.name", "person")),
        (("actor",), "alice", ("actor", "object")),
        (("decision_count",), True, ("decision_count", "integer")),
        (("decision_count",), -1, ("decision_count", "integer")),
        (("trace_ids",), ["rcd-" + "0" * 28] * 51, ("trace_ids", "too_many")),
        (("trace_ids",), {}, ("trace_ids", "list")),
        (("causes",), [{"id": "rcd-" + "0" * 28, "kind": "x", "record_hash": "0" * 64}], ("causes[0].kind", "unknown_kind")),
        (("metadata_kind",), "x", ("metadata_kind", "unknown_kind")),
        (("acknowledgement", "notes"), "x" * 2_001, ("acknowledgement.notes", "too_long")),
        (("acknowledgement", "notes"), 1, ("acknowledgement.notes", "text")),
        (("acknowledgement", "external_ref"), "see the ticket", ("acknowledgement.external_ref", "ticket|https_url")),
        (("acknowledgement", "acknowledgement_state"), "approved", ("acknowledgement.acknowledgement_state", "enum")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_by_path_and_rule(path: Any, value: Any, finding: tuple[str, str]) -> None:
    assert finding in check(replaced(document("retry_ack"), path, value))


def test_an_unknown_field_is_refused_without_its_name() -> None:
    secret = joined("gh", "p_", some(36))
    made = document("retry_ack")
    assert check({**made, secret: 1}) == [("", "unknown_field")]
    made["acknowledgement"][secret] = 1
    assert check(made) == [("acknowledgement", "unknown_field")]


def test_a_missing_field_is_refused() -> None:
    made = document("retry_ack")
    del made["acknowledgement"]["notes"]
    del made["signer"]
    assert check(made) == [("signer", "missing_field"), ("acknowledgement.notes", "missing_field")]


KEYS = st.sampled_from(["metadata_kind", "plan", "actor", "causes", "chains", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_nothing_makes_the_check_crash(value: Any) -> None:
    for noun in ("notification_plan", "closure"):
        made = {**value, "metadata_kind": BY_NOUN[noun].kind} if isinstance(value, dict) else {"plan": value}
        assert check(made)


SECRET_PARTS = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~%+=", min_size=6, max_size=40
)


@settings(max_examples=300, deadline=None)
@given(SECRET_PARTS, SECRET_PARTS, SECRET_PARTS, SECRET_PARTS, st.sampled_from(["", ":8443"]))
def test_of_a_url_only_scheme_host_and_port_are_kept(
    user: str, password: str, path: str, query: str, port: str
) -> None:
    url = f"https://{user}:{password}@hooks.example{port}/{path}?token={query}#{path}"
    assert kept_url(url) == f"https://hooks.example{port}"


@pytest.mark.parametrize(
    "url",
    ["", "nothing", "https://", "javascript:alert(1)", "https://[::1", "https://a b/", "https://x:port/"],
)
def test_what_is_no_url_is_not_kept(url: str) -> None:
    with pytest.raises(GuardError):
        kept_url(url)


def test_a_host_that_is_itself_a_credential_is_not_kept() -> None:
    with pytest.raises(GuardError):
        kept_url("https://" + joined("gl", "pat-", some(20, "a3x9k7m2q5")) + ".hooks.example/")


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=30), st.text(max_size=40), max_size=8))
def test_headers_are_dropped_but_for_a_few(headers: dict[str, str]) -> None:
    allowed = {"Content-Type": "application/json", "Webhook-Id": "msg-1"}
    kept = kept_headers({**headers, **allowed, "Authorization": "Token abcdefgh", "X-Api-Key": "abcdefgh"})
    assert kept.items() >= {"content-type": "application/json", "webhook-id": "msg-1"}.items()
    assert kept.keys() <= {
        "content-type",
        "webhook-id",
        "webhook-timestamp",
        "cavra-execution-id",
        "user-agent",
    }


def test_an_allowed_header_with_a_credential_in_it_is_dropped() -> None:
    assert kept_headers({"User-Agent": joined("s", "k-proj-", some(48)), "Webhook-Id": "msg-1"}) == {
        "webhook-id": "msg-1"
    }
