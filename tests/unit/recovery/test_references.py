"""What a verification reference may be, by its form."""

import pytest
from cavra_evidence.ids import new_id
from cavra_evidence.refusal import Refusal
from cavra_recovery.domain.references import check_steps, read_references
from cavra_verify.kinds import KINDS

RCD = "rcd-01a206f8427f000047879f7a61dd"


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.noun != "execution_resolution"], ids=lambda kind: kind.noun
)
def test_the_id_of_any_kind_but_a_resolution_names_a_record(kind: object) -> None:
    record_id = new_id(kind.prefix)  # type: ignore[attr-defined]
    (reference,) = read_references([record_id])
    assert (reference.kind, reference.record_id) == (kind, record_id)


@pytest.mark.parametrize(
    ("scheme", "prefix", "noun"),
    [
        ("go-rollback-drill-retry-worker", "gordackworker", "worker_run"),
        ("go-rollback-drill-retry-approval", "gordackretryapprovaldecision", "approval_decision"),
        ("go-rollback-drill-audit-delivery", "gordackdelivery", "delivery_plan"),
        ("connector-delivery", "rcd", "connector_delivery"),
    ],
)
def test_an_evidence_reference_names_the_record_of_its_scheme(scheme: str, prefix: str, noun: str) -> None:
    record_id = new_id(prefix)
    (reference,) = read_references([f"{scheme}://{record_id}"])
    assert reference.kind is not None
    assert (reference.kind.noun, reference.record_id) == (noun, record_id)


@pytest.mark.parametrize("text", ["OPS-1234", "org/repo#12", "https://status.example.com/incidents/42"])
def test_a_ticket_and_a_plain_https_url_stand_for_themselves(text: str) -> None:
    (reference,) = read_references([text])
    assert (reference.kind, reference.record_id, reference.step_id) == (None, "", "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "invalid_reference"),
        ("no reference at all", "invalid_reference"),
        ("http://status.example.com/", "invalid_reference"),
        ("https://status.example.com/?incident=42", "invalid_reference"),
        ("ftp://files.example.com/x", "invalid_reference"),
        (f"some-scheme://{RCD}", "invalid_reference"),
        ("https://ops:hunter2@example.com/", "credential_found"),
        ("Bearer abcdefghijklmnop", "credential_found"),
        ("step:password=hunter2hunter2", "credential_found"),
        ("gordackretryresolution-01a206c25f88000174c508751654", "invalid_reference"),
        ("step:", "unknown_reference"),
        ("rcd-123", "unknown_reference"),
        ("gordackretryexec-UPPER", "unknown_reference"),
        ("connector-delivery://OPS-1", "unknown_reference"),
        (f"go-rollback-drill-retry-worker://{RCD}", "unknown_reference"),
        (f"{RCD}\n", "unknown_reference"),
        ("x" * 257, "too_long"),
    ],
)
def test_anything_else_is_refused_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_references(["OPS-1", text])
    assert (refused.value.reason, refused.value.field) == (reason, "verification_refs[1]")
    assert "hunter2" not in str(refused.value)


def test_twenty_references_are_the_most() -> None:
    assert len(read_references(["OPS-1"] * 20)) == 20
    with pytest.raises(Refusal) as refused:
        read_references(["OPS-1"] * 21)
    assert (refused.value.reason, refused.value.field) == ("too_long", "verification_refs")


def test_a_step_must_be_one_of_the_playbook() -> None:
    references = read_references(["OPS-1", "step:check_host_name", "step:rotate_credential"])
    check_steps(references, ["check_host_name", "rotate_credential"])
    with pytest.raises(Refusal) as refused:
        check_steps(references, ["check_host_name"])
    assert (refused.value.reason, refused.value.field) == ("unknown_reference", "verification_refs[2]")
