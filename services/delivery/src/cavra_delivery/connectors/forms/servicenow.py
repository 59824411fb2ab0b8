"""ServiceNow: a row of a table, an incident unless another is configured.

https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
"""

import re
from typing import Any, Final
from urllib.parse import SplitResult

from cavra_delivery.connectors.base import Answer, Event, Rendered, Response
from cavra_delivery.connectors.forms.form import Form, json_body
from cavra_delivery.connectors.judging import by_status, document, unclear
from cavra_delivery.connectors.summary import clipped, summary_of

_URGENCY: Final = {"healthy": "3", "warning": "2", "critical": "1"}
"""1 is high, 3 is low; impact alike."""
_SHORT_CHARACTERS = 160
_NUMBER = re.compile(r"[A-Z]{2,12}[0-9]{4,16}")


class ServiceNow(Form):
    """A record with the facts as its description; its number comes back."""

    def render(self, event: Event, message_id: str) -> Rendered:
        """See `Form.render`."""
        summary = summary_of(event)
        content: dict[str, Any] = {
            "short_description": clipped(summary.title, _SHORT_CHARACTERS),
            "description": summary.text,
            "urgency": _URGENCY[summary.severity],
            "impact": _URGENCY[summary.severity],
            "correlation_id": message_id,
            "correlation_display": "CAVRA",
        }
        if self.config.assignment_group:
            content["assignment_group"] = self.config.assignment_group
        return json_body(content)

    def target(self) -> SplitResult:
        """See `Form.target`."""
        return self.config.target(path=f"/api/now/table/{self.config.table}")

    def headers(self) -> dict[str, str]:
        """See `Form.headers`."""
        return {"accept": "application/json", **super().headers()}

    def judge(self, response: Response, message_id: str) -> Answer:
        """See `Form.judge`. 201 with the record that was made."""
        answer = by_status(response)
        if not answer.delivered:
            return answer
        result = document(response).get("result")
        if response.status != 201 or not isinstance(result, dict):
            return unclear(response)
        number = result.get("number")
        known = isinstance(number, str) and _NUMBER.fullmatch(number)
        return Answer(status_code=response.status, external_ref=str(number) if known else "")
