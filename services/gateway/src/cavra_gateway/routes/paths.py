"""The contract's path prefixes."""

from typing import Final

SCHEDULE: Final = "/runtime/go-pilot/rollback-drill-schedule"
NOTIFICATIONS: Final = "/runtime/go-pilot/rollback-drill-notifications"
AUDIT_DELIVERY: Final = NOTIFICATIONS + "/acknowledgements/audit-delivery"
