"""The operator's actions, each with its page: what it is about, what will happen, the form, the result."""

from cavra_gateway.console.actions import (
    ack_retry,
    approve_retry,
    close_recovery,
    deliver_audit,
    execute_retry,
    plan_audit_retry,
    plan_retry_approval,
    recovery_playbook,
    resolve_unknown,
)

ROUTERS = tuple(
    module.router
    for module in (
        deliver_audit,
        plan_audit_retry,
        ack_retry,
        plan_retry_approval,
        approve_retry,
        execute_retry,
        recovery_playbook,
        close_recovery,
        resolve_unknown,
    )
)
