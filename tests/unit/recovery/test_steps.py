"""What a playbook tells people to do."""

from itertools import product

import pytest
from cavra_recovery.domain.steps import CATEGORIES, recovery_steps

REASONS = (
    "auth connect connector_busy connector_circuit_open connector_config_not_configured connector_fault destination_refused"
    " dns outcome_unknown rate_limited redirect rejected response_invalid"
    " server_error timeout tls"
).split()


def _ids(category: str, *reasons: str, statuses: tuple[int, ...] = ()) -> list[str]:
    return [step.step_id for step in recovery_steps(category, reasons, statuses)]


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("auth", "rotate_credential"),
        ("connect", "check_network_path"),
        ("connector_busy", "raise_send_limits"),
        ("connector_circuit_open", "wait_for_probe"),
        ("connector_config_not_configured", "set_variable"),
        ("connector_fault", "report_fault"),
        ("destination_refused", "check_destination"),
        ("dns", "check_host_name"),
        ("outcome_unknown", "ask_for_outcome"),
        ("rate_limited", "lower_send_rate"),
        ("redirect", "update_address"),
        ("rejected", "check_payload"),
        ("response_invalid", "check_answer"),
        ("server_error", "check_receiver_status"),
        ("timeout", "check_latency"),
        ("tls", "check_certificate"),
        ("something_new", "read_failure_records"),
    ],
)
def test_each_reason_has_its_own_step_between_a_look_and_a_verification(reason: str, step: str) -> None:
    assert _ids("webhook", reason) == ["ask_receiver_owner", step, "verify_by_approved_retry"]


@pytest.mark.parametrize(
    ("status", "steps"),
    [
        (200, []),
        (307, ["update_address"]),
        (401, ["rotate_credential"]),
        (403, ["rotate_credential"]),
        (404, ["check_payload", "check_path"]),
        (410, ["check_payload", "check_path"]),
        (413, ["check_payload", "check_size_limit"]),
        (422, ["check_payload"]),
        (429, ["lower_send_rate"]),
        (503, ["check_receiver_status"]),
    ],
)
def test_a_status_code_alone_leads_to_its_steps(status: int, steps: list[str]) -> None:
    assert _ids("siem", statuses=(status,))[1:-1] == steps


@pytest.mark.parametrize(
    ("reason", "status", "steps"),
    [
        ("auth", 535, ["rotate_credential"]),
        ("auth", 454, ["rotate_credential"]),
        ("rate_limited", 421, ["lower_send_rate"]),
        ("server_error", 452, ["check_receiver_status"]),
        ("rejected", 550, ["check_payload"]),
        ("auth", 400, ["rotate_credential"]),
        ("rejected", 404, ["check_payload", "check_path"]),
    ],
)
def test_a_code_that_means_something_else_over_http_adds_no_step_to_those_of_its_reason(
    reason: str, status: int, steps: list[str]
) -> None:
    assert _ids("chatops", reason, statuses=(status,))[1:-1] == steps


@pytest.mark.parametrize("category", CATEGORIES)
def test_two_different_failures_give_two_different_playbooks(category: str) -> None:
    steps = {reason: tuple(_ids(category, reason)) for reason in REASONS}
    assert len(set(steps.values())) == len(REASONS)
    assert [reason for reason, ids in steps.items() if "rotate_credential" in ids] == ["auth"]


def test_what_is_observed_twice_is_one_step() -> None:
    assert _ids("itsm", "auth", statuses=(401, 403)).count("rotate_credential") == 1
    assert _ids("itsm", statuses=(404, 410)).count("check_path") == 1


def test_steps_come_in_the_order_in_which_they_are_to_be_taken() -> None:
    found = _ids("siem", "timeout", "auth", "dns", "connector_config_not_configured")
    assert found[1:-1] == ["set_variable", "check_host_name", "rotate_credential", "check_latency"]


def test_the_same_reason_is_worded_for_the_category() -> None:
    worded = {category: recovery_steps(category, ["auth"], ())[1].instruction for category in CATEGORIES}
    assert len(set(worded.values())) == len(CATEGORIES)


@pytest.mark.parametrize(("category", "reason"), list(product(CATEGORIES, REASONS)))
def test_every_step_is_fit_for_a_record(category: str, reason: str) -> None:
    steps = recovery_steps(category, [reason], [404, 413])
    assert len({step.step_id for step in steps}) == len(steps)
