"""The forms of the vendors, by kind of connector: how each wants an event, and what its answers mean."""

from typing import Final

from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.forms.datadog import Datadog
from cavra_delivery.connectors.forms.form import Form
from cavra_delivery.connectors.forms.jira import Jira
from cavra_delivery.connectors.forms.pagerduty import PagerDuty
from cavra_delivery.connectors.forms.sentinel import Sentinel
from cavra_delivery.connectors.forms.servicenow import ServiceNow
from cavra_delivery.connectors.forms.slack import Slack
from cavra_delivery.connectors.forms.splunk import Splunk
from cavra_delivery.connectors.forms.teams import Teams
from cavra_delivery.connectors.forms.webhook import Webhook

FORMS: Final[dict[str, type[Form]]] = {
    "webhook": Webhook,
    "splunk": Splunk,
    "sentinel": Sentinel,
    "datadog": Datadog,
    "slack": Slack,
    "teams": Teams,
    "jira": Jira,
    "servicenow": ServiceNow,
    "pagerduty": PagerDuty,
}
"""Kind -> its form, of all kinds that are reached over HTTP."""


def form_of(kind: str, config: ConnectorConfig) -> Form:
    """The form of one configured connector."""
    return FORMS[kind](config)
