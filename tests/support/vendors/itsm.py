"""Jira and ServiceNow.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
"""

from base64 import b64encode
from pathlib import Path
from typing import Any, ClassVar, Final

import jsonschema_rs
import orjson

from tests.support.vendors.server import Asked, Reply, VendorServer, length, must, posted

_ADF: Final = jsonschema_rs.validator_for((Path(__file__).parent / "schemas" / "adf.json").read_text())
"""Atlassian's own schema of a description: see the page beside it."""


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
        must(0 < length(fields["summary"]) <= 255 and "\n" not in fields["summary"], "summary")
        must(all(0 < length(label) <= 255 and " " not in label for label in fields["labels"]), "labels")
        faults = [error.message for error in _ADF.iter_errors(fields["description"])]
        must(not faults, f"a document of ADF: {faults}")
        must(len(orjson.dumps(fields["description"])) <= 32_767, "description")

    def allowed(self, asked: Asked) -> bool:
        """See `VendorServer.allowed`."""
        return asked.headers["authorization"] == _basic("bot@example.org", self.secrets["T_JIRA_TOKEN"])

    def accept(self, asked: Asked) -> Reply:
        """See `VendorServer.accept`."""
        return Reply(201, {"id": "10000", "key": "OPS-1", "self": f"{self.url}/rest/api/3/issue/10000"})


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
        must(length(asked.json["short_description"]) <= 160, "short description")
        must(length(asked.json["description"]) <= 4_000, "description")
        must(len(asked.json["correlation_id"]) <= 100, "correlation id")

    def allowed(self, asked: Asked) -> bool:
        """See `VendorServer.allowed`."""
        return asked.headers["authorization"] == _basic("cavra.bot", self.secrets["T_SNOW_PASSWORD"])

    def accept(self, asked: Asked) -> Reply:
        """See `VendorServer.accept`."""
        made = {"number": "INC0010002", "sys_id": "c537bae64f411200adf9f8e18110c76e", **asked.json}
        return Reply(201, {"result": made})
