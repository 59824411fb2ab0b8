"""Jira Cloud: an issue for each event, through REST version 3.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

import re
from typing import Any
from urllib.parse import SplitResult

from cavra_delivery.connectors.base import Answer, Event, NotConfigured, Rendered, Response
from cavra_delivery.connectors.forms.form import Form, json_body
from cavra_delivery.connectors.judging import by_status, document, unclear
from cavra_delivery.connectors.summary import Summary, summary_of

_LABEL = re.compile(r"\S{1,255}")
"""An issue with a label that holds a space is refused."""
_KEY = re.compile(r"[A-Z][A-Z0-9_]{1,23}-[0-9]{1,12}")


class Jira(Form):
    """An issue whose description is a table of the facts; its key comes back."""

    def render(self, event: Event, message_id: str) -> Rendered:
        """See `Form.render`."""
        summary = summary_of(event)
        fields = {
            "project": {"key": self.config.project},
            "issuetype": {"name": self.config.issue_type},
            "summary": summary.title,
            "description": _document(summary),
            "labels": ["cavra", message_id, *self.config.tags],
        }
        return json_body({"fields": fields})

    def target(self) -> SplitResult:
        """See `Form.target`."""
        if not self.config.project:
            raise NotConfigured(field="project")
        if not all(_LABEL.fullmatch(tag) for tag in self.config.tags):
            raise NotConfigured(field="tags")
        return self.config.target(path="/rest/api/3/issue")

    def headers(self) -> dict[str, str]:
        """See `Form.headers`."""
        return {"accept": "application/json", **super().headers()}

    def judge(self, response: Response, message_id: str) -> Answer:
        """See `Form.judge`. 201 with the key of an issue."""
        answer = by_status(response)
        if not answer.delivered:
            return answer
        key = document(response).get("key")
        if response.status != 201 or not isinstance(key, str) or not _KEY.fullmatch(key):
            return unclear(response)
        return Answer(status_code=response.status, external_ref=key)


def _document(summary: Summary) -> dict[str, Any]:
    """The facts in Atlassian Document Format."""
    rows = [
        {"type": "tableRow", "content": [_cell("tableHeader", label), _cell("tableCell", value)]}
        for label, value in summary.facts
    ]
    return {
        "type": "doc",
        "version": 1,
        "content": [_paragraph(summary.title), {"type": "table", "content": rows}],
    }


def _cell(kind: str, text: str) -> dict[str, Any]:
    return {"type": kind, "content": [_paragraph(text)]}


def _paragraph(text: str) -> dict[str, Any]:
    return {"type": "paragraph", "content": [{"type": "text", "text": text}]}
