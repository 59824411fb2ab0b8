"""The auditor's policy: what it says, and what it refuses to be."""

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from cavra_verify.policy import Floors, PinnedKey, PolicyError, read_policy
from cavra_verify.signatures import key_id

KEYS = [base64.b64encode(bytes([at]) * 32).decode() for at in range(4)]
BOB = {"iss": "cavra-local", "sub": "bob"}
DOCUMENT: dict[str, Any] = {
    "schema_version": "cavra.policy.v1",
    "logs": [
        {"origin": "cavra.local/delivery", "service": "delivery", "keys": [{"public_key": KEYS[0]}]},
        {
            "origin": "cavra.local/retry",
            "service": "retry",
            "keys": [
                {"public_key": KEYS[1], "until_index": 10},
                {"public_key": KEYS[2], "from_index": 10, "revoked": "stolen"},
            ],
            "kinds": ["retry_intent"],
        },
    ],
    "issuers": ["cavra-local"],
    "floors": {"required_approvals": 2},
}


def read(change: Callable[[dict[str, Any]], object] = lambda document: None) -> Any:
    """The policy after a change."""
    document = copy.deepcopy(DOCUMENT)
    change(document)
    return read_policy(json.dumps(document, indent=2).encode())


def test_a_policy_says_which_logs_keys_issuers_and_floors_count() -> None:
    policy = read()
    delivery, retry = policy.logs["cavra.local/delivery"], policy.logs["cavra.local/retry"]
    assert delivery.keys == (PinnedKey(bytes(32)),)
    assert {"connector_delivery", "audit_package"} <= delivery.kinds
    assert "retry_intent" not in delivery.kinds
    assert retry.kinds == {"retry_intent"}
    assert [key.revoked for key in retry.keys] == ["", "stolen"]
    assert retry.keys[0].key_id == key_id(b"\x01" * 32)
    assert policy.issuers == {"cavra-local"}
    assert policy.floors == Floors(required_approvals=2)
    assert policy.roles == {}


def test_a_policy_may_name_who_has_a_role_and_one_without_people_is_nobodys() -> None:
    people = [BOB, {"iss": "https://id.example", "sub": "bob"}]
    roles = read(lambda one: one.update(roles={"approver": people, "operator": []})).roles
    assert roles == {
        "approver": {("cavra-local", "bob"), ("https://id.example", "bob")},
        "operator": frozenset(),
    }


def test_a_key_is_good_for_its_part_of_the_log_and_both_are_where_one_takes_over() -> None:
    old, new = PinnedKey(bytes(32), 0, 10), PinnedKey(bytes(32), 10)
    assert [old.signs_record(at) for at in (0, 9, 10)] == [True, True, False]
    assert [new.signs_record(at) for at in (9, 10, 11)] == [False, True, True]
    assert [old.signs_checkpoint(size) for size in (0, 10, 11)] == [True, True, False]
    assert [new.signs_checkpoint(size) for size in (9, 10)] == [False, True]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda one: one.pop("floors"), "policy.floors: got nothing", id="no floors"),
        pytest.param(lambda one: one.update(schema_version="v2"), "policy.schema_version", id="another version"),
        pytest.param(lambda one: one.update(logs=[]), "policy.logs: got none", id="no logs"),
        pytest.param(lambda one: one.update(logs={}), "policy.logs: got dict, expected a list", id="logs as an object"),
        pytest.param(lambda one: one["floors"].update(required_aprovals=3), "required_aprovals: got a field", id="a misspelt floor"),
        pytest.param(lambda one: one["floors"].update(required_approvals=-1), "required_approvals: got -1", id="a negative floor"),
        pytest.param(lambda one: one["floors"].update(required_approvals=True), "required_approvals: got True", id="true as a number"),
        pytest.param(lambda one: one["floors"].update(separation_of_duties=1), "separation_of_duties: got int", id="one as true"),
        pytest.param(lambda one: one.update(issuers=[""]), "policy.issuers", id="an empty issuer"),
        pytest.param(lambda one: one.update(roles=[]), "policy.roles: got list", id="roles as a list"),
        pytest.param(lambda one: one.update(roles={"aprover": []}), "policy.roles.aprover: got a field", id="a misspelt role"),
        pytest.param(lambda one: one.update(roles={"approver": ["bob"]}), "roles.approver[0]: got str", id="a person by name alone"),
        pytest.param(lambda one: one.update(roles={"approver": [{"sub": "bob"}]}), "approver[0].iss: got nothing", id="no issuer"),
        pytest.param(lambda one: one.update(roles={"operator": [BOB | {"name": "bob"}]}), "operator[0].name: got a field", id="a name"),
        pytest.param(lambda one: one["logs"][0].update(service="gateway"), "logs[0].service: got 'gateway'", id="no such service"),
        pytest.param(lambda one: one["logs"][0].update(keys=[]), "logs[0].keys: got none", id="no keys"),
        pytest.param(lambda one: one["logs"][0].update(kinds=["retry_intent"]), "kinds of the delivery service", id="a foreign kind"),
        pytest.param(lambda one: one["logs"][0]["keys"][0].update(public_key="AAAA"), "keys[0].public_key: got no Ed", id="a short key"),
        pytest.param(lambda one: one["logs"][0]["keys"][0].update(public_key="%%"), "keys[0].public_key: got no Ed", id="no base64"),
        pytest.param(lambda one: one["logs"][1]["keys"][0].update(until_index=0), "keys[0].until_index: got 0", id="a useless key"),
        pytest.param(lambda one: one["logs"][1]["keys"][0].update(public_key=KEYS[0]), "for two logs", id="one key for two logs"),
        pytest.param(lambda one: one["logs"][1].update(origin="cavra.local/delivery"), "twice", id="one origin twice"),
        pytest.param(lambda one: one["logs"][1].update(service="delivery", kinds=[]), "twice", id="one service twice"),
    ],
)  # fmt: skip
def test_a_policy_that_is_not_understood_whole_is_refused_with_its_field(
    change: Callable[[dict[str, Any]], object], says: str
) -> None:
    with pytest.raises(PolicyError) as refused:
        read(change)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b"{", b"\xff", b'{"issuers":[],"issuers":[]}', b"[" * 100_000, b" " * 1_048_577],
    ids=["nothing", "a list", "null", "half", "no text", "a field twice", "deep", "too long"],
)
def test_what_is_no_policy_is_refused(data: bytes) -> None:
    with pytest.raises(PolicyError):
        read_policy(data)
