"""Local servers that answer as the vendors' own do, by what their documentation says."""

from typing import Final

from tests.support.vendors.chat import EventsApi, SlackHook, SlackMethod, TeamsWorkflow
from tests.support.vendors.hook import SignedHook
from tests.support.vendors.itsm import JiraCloud, TableApi
from tests.support.vendors.server import VendorServer
from tests.support.vendors.siem import AckingCollector, Collector, DatadogIntake, LogsIngestion

VENDORS: Final[dict[str, type[VendorServer]]] = {
    "webhook": SignedHook,
    "splunk": Collector,
    "splunk-ack": AckingCollector,
    "sentinel": LogsIngestion,
    "datadog": DatadogIntake,
    "slack-hook": SlackHook,
    "slack-method": SlackMethod,
    "teams": TeamsWorkflow,
    "jira": JiraCloud,
    "servicenow": TableApi,
    "pagerduty": EventsApi,
}
"""All that are spoken to over HTTP."""
