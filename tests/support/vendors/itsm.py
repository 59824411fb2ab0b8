"""Jira and ServiceNow.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
"""

from base64 import b64encode
from typing import Any, ClassVar

from tests.support.vendors.server import Asked, Reply, VendorServer, must, posted


def _basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


class JiraCloud(VendorServer):
    """Jira Cloud, which makes an issue of each message."""

    kind = "jira"
    secrets: ClassVar = {"T_JIRA_TOKEN": "ATATT3xFfGF0made0for0this0test"}
    malformed = Reply(200, b"<!doctype html><title>Log in</title>")
    rejected = Reply(400, {"errorMessages": [], "errors": {"project": "valid project is required"}})
    reference = "OPS-1"

    def entry(self) -> dict[str, Any]:
        """See `VendorServer.entry`."""
        return {"url": self.url, "user": "bot@example.org", "token_env": "T_JIRA_TOKEN", "project": "OPS"}

    def check(self, asked: Asked) -> None:
        """See `VendorServer.check`."""
        posted(asked, "/rest/api/3/issue")
        fields = asked.json["fields"]
        must(fields["project"] == {"key": "OPS"} and fields["issuetype"]["name"], "project and type")
        must(0 < len(fields["summary"]) <= 255 and "\n" not in fields["summary"], "summary")
        must(all(label and " " not in label for label in fields["labels"]), "labels hold no blanks")
        description = fields["description"]
        must(description["type"] == "doc" and description["version"] == 1, "a document of ADF")
        for node in description["content"]:
            _check_node(node)

    def allowed(self, asked: Asked) -> bool:
        """See `VendorServer.allowed`."""
        return asked.headers["authorization"] == _basic("bot@example.org", self.secrets["T_JIRA_TOKEN"])

    def accept(self, asked: Asked) -> Reply:
        """See `VendorServer.accept`."""
        return Reply(201, {"id": "10000", "key": "OPS-1", "self": f"{self.url}/rest/api/3/issue/10000"})


_INSIDE = {
    "paragraph": {"text"},
    "table": {"tableRow"},
    "tableRow": {"tableHeader", "tableCell"},
    "tableHeader": {"paragraph"},
    "tableCell": {"paragraph"},
}
"""What may stand in which node: https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/"""


def _check_node(node: dict[str, Any]) -> None:
    if node["type"] == "text":
        must(node["text"], "a text node holds text")
        return
    for inner in node["content"]:
        must(inner["type"] in _INSIDE[node["type"]], f"{inner['type']} in {node['type']}")
        _check_node(inner)


class TableApi(VendorServer):
    """A ServiceNow instance, which makes an incident of each message."""

    kind = "servicenow"
    secrets: ClassVar = {"T_SNOW_PASSWORD": "correct-horse-7-battery"}
    malformed = Reply(200, b"<html>Instance Hibernating page</html>")
    rejected = Reply(400, {"error": {"message": "Invalid table", "detail": None}, "status": "failure"})
    reference = "INC0010002"

    def entry(self) -> dict[str, Any]:
        """See `VendorServer.entry`."""
        return {"url": self.url, "user": "cavra.bot", "password_env": "T_SNOW_PASSWORD"}

    def check(self, asked: Asked) -> None:
        """See `VendorServer.check`."""
        posted(asked, "/api/now/table/incident")
        must(asked.headers["accept"] == "application/json", "accept")
        must(all(isinstance(value, str) for value in asked.json.values()), "a row of texts")
        must(len(asked.json["short_description"]) <= 160, "short description")

    def allowed(self, asked: Asked) -> bool:
        """See `VendorServer.allowed`."""
        return asked.headers["authorization"] == _basic("cavra.bot", self.secrets["T_SNOW_PASSWORD"])

    def accept(self, asked: Asked) -> Reply:
        """See `VendorServer.accept`."""
        made = {"number": "INC0010002", "sys_id": "c537bae64f411200adf9f8e18110c76e", **asked.json}
        return Reply(201, {"result": made})
