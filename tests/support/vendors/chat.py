"""Slack, Microsoft Teams, PagerDuty.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, https://docs.slack.dev/reference/methods/chat.postMessage
https://docs.slack.dev/reference/block-kit/blocks
https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook
https://github.com/microsoft/AdaptiveCards/blob/main/schemas/1.4.0/adaptive-card.json
https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
"""

from datetime import datetime
from typing import Any, ClassVar

import orjson

from tests.support.vendors.server import Asked, Reply, VendorServer, length, must, posted


def _check_blocks(message: dict[str, Any]) -> None:
    must(message["text"] and length(message["text"]) <= 40_000, "a text for who shows no blocks")
    must(0 < len(message["blocks"]) <= 50, "at most 50 blocks")
    # On no page of Slack's, but it refuses more as `msg_blocks_too_long`: https://github.com/slackapi/bolt-js/issues/2509.
    must(length(orjson.dumps(message["blocks"]).decode()) <= 13_000, "the blocks together")
    for block in message["blocks"]:
        match block["type"]:
            case "header":
                must(block["text"]["type"] == "plain_text" and length(block["text"]["text"]) <= 150, "header")
            case "section":
                must(0 < len(block["fields"]) <= 10, "at most 10 fields")
                must(
                    all(length(field["text"]) <= 2000 for field in block["fields"]),
                    "2,000 characters a field",
                )
                must(all("<" not in field["text"] for field in block["fields"]), "control characters escaped")
            case "context":
                must(0 < len(block["elements"]) <= 10, "at most 10 elements")
            case other:
                must(False, f"no such block: {other}")


class SlackHook(VendorServer):
    """An incoming webhook: its address is the secret, and it answers in text."""

    kind = "slack"
    path = "/services/T00000000/B00000000/madeforthistest000000Ab3d"
    secrets: ClassVar = {"T_SLACK_URL": "madeforthistest000000Ab3d"}
    malformed = Reply(200, b"<html>a proxy's page</html>")
    rejected = Reply(400, b"invalid_payload")
    refused = Reply(403, b"invalid_token")

    def entry(self) -> dict[str, Any]:
        """See `VendorServer.entry`."""
        return {"url_env": "T_SLACK_URL"}

    def environment(self) -> dict[str, str]:
        """See `VendorServer.environment`."""
        return {"T_SLACK_URL": self.url + self.path}

    def check(self, asked: Asked) -> None:
        """See `VendorServer.check`."""
        must(asked.method == "POST", asked.method)
        _check_blocks(asked.json)

    def allowed(self, asked: Asked) -> bool:
        """See `VendorServer.allowed`."""
        return asked.path == self.path

    def accept(self, asked: Asked) -> Reply:
        """See `VendorServer.accept`."""
        return Reply(200, b"ok")


class SlackMethod(VendorServer):
    """chat.postMessage: under 200, whether it did it or not."""

    kind = "slack"
    secrets: ClassVar = {"T_SLACK_TOKEN": "-".join(("xoxb", "made", "for", "this", "test"))}
    malformed = Reply(200, b"ok")
    rejected = Reply(200, {"ok": False, "error": "channel_not_found"})
    refused = Reply(200, {"ok": False, "error": "invalid_auth"})
    reference = "C123ABC456/p1503435956000247"

    def entry(self) -> dict[str, Any]:
        """See `VendorServer.entry`."""
        return {"url": self.url, "token_env": "T_SLACK_TOKEN", "channel": "C123ABC456"}

    def check(self, asked: Asked) -> None:
        """See `VendorServer.check`."""
        posted(asked, "/api/chat.postMessage")
        must(asked.json["channel"] == "C123ABC456", "channel")
        _check_blocks(asked.json)

    def allowed(self, asked: Asked) -> bool:
        """See `VendorServer.allowed`."""
        return asked.headers["authorization"] == f"Bearer {self.secrets['T_SLACK_TOKEN']}"

    def accept(self, asked: Asked) -> Reply:
        """See `VendorServer.accept`."""
        return Reply(200, {"ok": True, "channel": "C123ABC456", "ts": "1503435956.000247", "message": {}})


class TeamsWorkflow(VendorServer):
    """The webhook of a Power Automate workflow: its address, query included, is the secret."""

    kind = "teams"
    path = "/workflows/0123456789abcdef/triggers/manual/paths/invoke"
    secrets: ClassVar = {"T_TEAMS_URL": "kXm3Tz0made0for0this0test"}
    malformed = Reply(200, b"1")
    rejected = Reply(400, {"error": {"code": "TriggerInputSchemaMismatch", "message": "no"}})
    refused = Reply(401, {"error": {"code": "DirectApiAuthorizationRequired"}})

    def entry(self) -> dict[str, Any]:
        """See `VendorServer.entry`."""
        return {"url_env": "T_TEAMS_URL"}

    def environment(self) -> dict[str, str]:
        """See `VendorServer.environment`."""
        query = f"api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={self.secrets['T_TEAMS_URL']}"
        return {"T_TEAMS_URL": f"{self.url}{self.path}?{query}"}

    def check(self, asked: Asked) -> None:
        """See `VendorServer.check`."""
        must(asked.method == "POST" and 2 * length(asked.body.decode()) <= 28 * 1024, "at most 28 KB")
        must(asked.json["type"] == "message", "a message")
        [attachment] = asked.json["attachments"]
        must(attachment["contentType"] == "application/vnd.microsoft.card.adaptive", "an adaptive card")
        card = attachment["content"]
        must(card["type"] == "AdaptiveCard" and card["version"] in ("1.2", "1.3", "1.4"), "version")
        kinds = [element["type"] for element in card["body"]]
        must(kinds == ["TextBlock", "FactSet", "TextBlock"], f"elements {kinds}")
        must(all(set(fact) == {"title", "value"} for fact in card["body"][1]["facts"]), "facts")
        for text in (card["body"][0], card["body"][2]):
            must(isinstance(text["text"], str), "text")
            must(text.get("color", "default") in ("default", "good", "warning", "attention"), "colour")
            must(text.get("size", "default") in ("default", "small", "medium", "large"), "size")
            must(text.get("weight", "default") in ("default", "lighter", "bolder"), "weight")

    def allowed(self, asked: Asked) -> bool:
        """See `VendorServer.allowed`."""
        return asked.path == self.path and asked.query.get("sig") == self.secrets["T_TEAMS_URL"]

    def accept(self, asked: Asked) -> Reply:
        """See `VendorServer.accept`."""
        return Reply(202, b"", (("x-ms-workflow-run-id", "08584730327937447116734043013CU19"),))


class EventsApi(VendorServer):
    """PagerDuty's Events API."""

    kind = "pagerduty"
    secrets: ClassVar = {"T_PD_KEY": "R01MADE0FOR0THIS0TEST0000000XY12"}
    malformed = Reply(202, {"status": "throttle event"})
    rejected = Reply(
        400,
        {
            "status": "invalid event",
            "message": "Event object is invalid",
            "errors": ["'payload.severity' is invalid"],
        },
    )
    refused = Reply(
        400,
        {"status": "invalid event", "message": "Event object is invalid", "errors": ["Invalid routing key"]},
    )
    reference = "msg-1"

    def entry(self) -> dict[str, Any]:
        """See `VendorServer.entry`."""
        return {"url": self.url, "routing_key_env": "T_PD_KEY"}

    def check(self, asked: Asked) -> None:
        """See `VendorServer.check`."""
        posted(asked, "/v2/enqueue")
        event = asked.json
        must(event["event_action"] == "trigger" and length(event["dedup_key"]) <= 255, "a trigger by its key")
        must(len(asked.body) <= 512 * 1024, "at most 512 KB")
        must(len(event["routing_key"]) == 32, "Length of 'routing_key' is incorrect")
        payload = event["payload"]
        must(0 < length(payload["summary"]) <= 1024 and payload["source"], "summary and source")
        must(payload["severity"] in ("critical", "error", "warning", "info"), "severity")
        must(datetime.fromisoformat(payload["timestamp"]).tzinfo, "timestamp")

    def allowed(self, asked: Asked) -> bool:
        """See `VendorServer.allowed`."""
        return bool(asked.json["routing_key"] == self.secrets["T_PD_KEY"])

    def accept(self, asked: Asked) -> Reply:
        """See `VendorServer.accept`."""
        key = asked.json["dedup_key"]
        return Reply(202, {"status": "success", "message": "Event processed", "dedup_key": key})
