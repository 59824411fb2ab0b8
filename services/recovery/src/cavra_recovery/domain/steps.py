"""What to do about a failing connector: one table of steps by what was observed, worded for the category of the tool."""

from collections.abc import Iterable
from typing import Final

from cavra_evidence.records.recovery import RecoveryStep

CATEGORIES: Final = ("siem", "itsm", "chatops", "webhook")

_FIRST: Final = {
    "siem": ("search_siem", "Search the SIEM for the failed event ids, so that you know what it already holds."),
    "itsm": ("search_itsm", "Search the ITSM tool for tickets of the failed events, so that none is opened twice."),
    "chatops": ("check_channel", "Check that the channel exists and that the integration is still installed in it."),
    "webhook": ("ask_receiver_owner", "Ask the receiver's owner whether the endpoint is in service."),
}  # fmt: skip

_BY_REASON: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "connector_config_not_configured": (
        "set_variable",
        {"": "Set the environment variable that the connector's configuration names, and restart the delivery service."},
    ),
    "dns": (
        "check_host_name",
        {"": "Check that the connector's host name resolves where the delivery service runs; the credential is not the cause."},
    ),
    "connect": (
        "check_network_path",
        {"": "Check that the host takes connections from the delivery service: port, firewall, routing."},
    ),
    "tls": (
        "check_certificate",
        {"": "Check the receiver's certificate: host name, validity, chain. Verification stays on."},
    ),
    "destination_refused": (
        "check_destination",
        {"": "Check the configured address: loopback and private targets are refused unless allow_private_networks is set."},
    ),
    "auth": (
        "rotate_credential",
        {
            "siem": "Issue a new ingest token, give it to the connector by its variable, then revoke the old one.",
            "itsm": "Issue a new credential for the integration user and check its permission to write records.",
            "chatops": "Issue a new incoming address or token for the integration, then revoke the old one.",
            "webhook": "Agree on a new credential with the receiver's owner, then revoke the old one.",
        },
    ),
    "redirect": (
        "update_address",
        {"": "Configure the address that the receiver has moved to: redirects are not followed."},
    ),
    "rejected": (
        "check_payload",
        {
            "siem": "Check index, source type and event size against what the collector takes.",
            "itsm": "Check project or table, required fields and field lengths against the tool's schema.",
            "chatops": "Check the message format and size against what the channel's integration takes.",
            "webhook": "Compare the body with the format that the receiver documents.",
        },
    ),
    "rate_limited": (
        "lower_send_rate",
        {"": "Wait until the receiver's limit is over, then retry fewer deliveries at a time or ask for a higher quota."},
    ),
    "timeout": (
        "check_latency",
        {"": "Find out why the receiver answers late; raise timeout_seconds only when its latency is expected."},
    ),
    "server_error": (
        "check_receiver_status",
        {"": "Look at the receiver's status page or ask its owner, and retry once it answers without server errors."},
    ),
    "response_invalid": (
        "check_answer",
        {"": "Check that the address leads to the product itself: the answer lacks its sign of success."},
    ),
    "connector_circuit_open": (
        "wait_for_probe",
        {"": "Nothing was sent while the circuit was open: once the receiver is well, the next send after the pause closes it."},
    ),
    "connector_busy": (
        "raise_send_limits",
        {"": "Nothing was sent because its turn did not come: raise rate_per_second or most_at_once, or send fewer deliveries at a time."},
    ),
    "connector_fault": (
        "report_fault",
        {"": "The delivery service itself failed here: report what it logged, and ask the receiver whether it holds the message id."},
    ),
    "outcome_unknown": (
        "ask_for_outcome",
        {"": "Ask the receiver whether it holds the message id, and record the answer before anything is sent again."},
    ),
}  # fmt: skip
"""Reason -> step id and its wording by category; "" words it for all. The order is the order in which the steps are to be taken."""

_BY_STATUS: Final = {
    404: ("check_path", "Check the path of the configured address: the receiver knows no such endpoint."),
    410: ("check_path", "Check the path of the configured address: the receiver knows no such endpoint."),
    413: ("check_size_limit", "Compare the size of the package with the receiver's limit."),
}

_OTHER: Final = (
    "read_failure_records",
    "Read the failed delivery records that this playbook rests on: their reason has no step of its own.",
)
_LAST: Final = (
    "verify_by_approved_retry",
    "Plan, acknowledge, approve and run a retry, then close with its execution record as the verification reference.",
)


def recovery_steps(category: str, reasons: Iterable[str], status_codes: Iterable[int]) -> list[RecoveryStep]:
    """The steps for a connector of `category` whose deliveries failed for `reasons` with `status_codes`, in order.

    The first says what to look at in that kind of tool, the last is always to verify by an approved retry.
    """
    statuses = sorted(set(status_codes))
    # Who was answered knows what the code means: 530 is a login at a mail server, and a fault over HTTP. Without a reason, HTTP is meant.
    observed = set(reasons) or {reason for status in statuses if (reason := _reason_of(status))}
    steps = [_FIRST[category]]
    for reason, (step_id, wording) in _BY_REASON.items():
        if reason in observed:
            steps.append((step_id, wording.get(category) or wording[""]))
    steps += dict.fromkeys(_BY_STATUS[status] for status in statuses if status in _BY_STATUS)
    if observed - _BY_REASON.keys():
        steps.append(_OTHER)
    steps.append(_LAST)
    return [RecoveryStep(step_id=step_id, instruction=instruction) for step_id, instruction in steps]


def _reason_of(status: int) -> str:
    if status in (401, 403):
        return "auth"
    if status == 429:
        return "rate_limited"
    return {3: "redirect", 4: "rejected", 5: "server_error"}.get(status // 100, "")
