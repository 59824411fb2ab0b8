"""Splunk, Microsoft Sentinel, Datadog.

https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector (codes)
https://docs.splunk.com/Documentation/Splunk/latest/Data/AboutHECIDXAck
https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview
https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
https://docs.datadoghq.com/api/latest/logs/#send-logs
https://docs.datadoghq.com/logs/log_configuration/processors/log_date_remapper/
"""

from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs

import orjson

from tests.support.vendors.server import Asked, Reply, VendorServer, must, posted

_RESERVED = {"_ResourceId", "id", "_SubscriptionId", "TenantId", "Type", "UniqueId", "Title"}


class Collector(VendorServer):
    """Splunk's HTTP Event Collector."""

    kind = "splunk"
    secrets: ClassVar = {"T_HEC_TOKEN": "5a1c9d2e-0b7f-4c53-9d0e-6d0f5f7e8a91"}
    malformed = Reply(200, b"<html>a proxy's page</html>")
    rejected = Reply(400, {"text": "Incorrect index", "code": 7, "invalid-event-number": 0})
    refused = Reply(403, {"text": "Invalid token", "code": 4})

    def entry(self) -> dict[str, Any]:
        """See `VendorServer.entry`."""
        return {"url": self.url, "token_env": "T_HEC_TOKEN", "index": "audit"}

    def check(self, asked: Asked) -> None:
        """See `VendorServer.check`."""
        posted(asked, "/services/collector/event")
        event = asked.json
        known = {"time", "host", "source", "sourcetype", "index", "event", "fields"}
        must(set(event) <= known, f"unknown keys {set(event) - known}")
        must(isinstance(event["time"], int | float), "time in seconds")
        must(event["event"], "12 event field is required")
        must(all(isinstance(value, str) for value in event["fields"].values()), "flat fields")

    def allowed(self, asked: Asked) -> bool:
        """See `VendorServer.allowed`."""
        return asked.headers["authorization"] == f"Splunk {self.secrets['T_HEC_TOKEN']}"

    def accept(self, asked: Asked) -> Reply:
        """See `VendorServer.accept`."""
        return Reply(200, {"text": "Success", "code": 0})


class AckingCollector(Collector):
    """The same with indexer acknowledgement: what is taken is acknowledged when it is asked about for the second time."""

    channel = "FE0ECFAD-13D5-401B-847D-77833BD77131"
    malformed = Reply(200, {"text": "Success", "code": 0})
    acknowledges = True

    def __init__(self) -> None:
        super().__init__()
        self._questions = 0

    def entry(self) -> dict[str, Any]:
        """See `VendorServer.entry`."""
        return {**super().entry(), "acknowledge": True, "channel": self.channel}

    def answer(self, asked: Asked) -> Reply:
        """See `VendorServer.answer`."""
        if asked.path != "/services/collector/ack":
            return super().answer(asked)
        must(
            asked.query == {"channel": self.channel} and asked.json == {"acks": [0]}, "a question by channel"
        )
        must(self.allowed(asked), "authorised")
        self._questions += 1
        return Reply(200, {"acks": {"0": self.acknowledges and self._questions > 1}})

    def accept(self, asked: Asked) -> Reply:
        """See `VendorServer.accept`."""
        must(asked.headers["x-splunk-request-channel"] == self.channel, "10 data channel is missing")
        return Reply(200, {"text": "Success", "code": 0, "ackId": 0})


class LogsIngestion(VendorServer):
    """A data collection endpoint, and the tenant's token endpoint beside it."""

    kind = "sentinel"
    secrets: ClassVar = {"T_AAD_SECRET": "hQ8~vXw2LtYp0sKjR4mZ"}
    token = "eyJ0eXAiOiJKV1QifQ.made-for-this-test.sig"
    malformed = Reply(200, {})
    rejected = Reply(413, {"error": {"code": "ContentLengthLimitExceeded", "message": "too large"}})

    def __init__(self) -> None:
        super().__init__()
        self.tokens_given = 0
        self.expires_in = 3599

    def entry(self) -> dict[str, Any]:
        """See `VendorServer.entry`."""
        return {
            "url": self.url,
            "dcr_id": "dcr-00000000000000000000000000000001",
            "stream": "Custom-Cavra_CL",
            "token_url": f"{self.url}/tenant/oauth2/v2.0/token",
            "client_id": "11111111-2222-3333-4444-555555555555",
            "client_secret_env": "T_AAD_SECRET",
        }

    def answer(self, asked: Asked) -> Reply:
        """See `VendorServer.answer`."""
        return self._grant(asked) if asked.path == "/tenant/oauth2/v2.0/token" else super().answer(asked)

    def _grant(self, asked: Asked) -> Reply:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        must(form.pop("grant_type") == "client_credentials", "the grant of a client")
        must(form.pop("scope") == "https://monitor.azure.com/.default", "the scope of the API")
        if form.pop("client_secret") != self.secrets["T_AAD_SECRET"]:
            return Reply(401, {"error": "invalid_client", "error_description": "AADSTS7000215"})
        self.tokens_given += 1
        return Reply(200, {"token_type": "Bearer", "expires_in": self.expires_in, "access_token": self.token})

    def check(self, asked: Asked) -> None:
        """See `VendorServer.check`."""
        posted(asked, f"/dataCollectionRules/{self.entry()['dcr_id']}/streams/Custom-Cavra_CL")
        must(asked.query == {"api-version": "2023-01-01"}, "the version of the API")
        must(isinstance(asked.json, list) and asked.json, "an array of rows")
        must(datetime.fromisoformat(asked.json[0]["TimeGenerated"]).tzinfo, "TimeGenerated")
        must(not _RESERVED & asked.json[0].keys(), "no reserved column")
        must(len(asked.body) <= 1024 * 1024, "at most 1 MB a call")
        must(all(len(orjson.dumps(value)) <= 64 * 1024 for value in asked.json[0].values()), "64 KB a field")

    def allowed(self, asked: Asked) -> bool:
        """See `VendorServer.allowed`."""
        return asked.headers["authorization"] == f"Bearer {self.token}"

    def accept(self, asked: Asked) -> Reply:
        """See `VendorServer.accept`."""
        return Reply(204)


class DatadogIntake(VendorServer):
    """Datadog's logs intake."""

    kind = "datadog"
    secrets: ClassVar = {"T_DD_KEY": "9775a026f1ca7d1c6c5af9d94d9595a4"}
    malformed = Reply(200, {"status": "ok"})
    rejected = Reply(400, {"errors": [{"status": "400", "title": "Bad Request", "detail": "no"}]})
    refused = Reply(403, {"errors": [{"status": "403", "title": "Forbidden"}]})

    def entry(self) -> dict[str, Any]:
        """See `VendorServer.entry`."""
        return {"url": self.url, "api_key_env": "T_DD_KEY", "service": "rollback", "tags": ["env:prod"]}

    def check(self, asked: Asked) -> None:
        """See `VendorServer.check`."""
        posted(asked, "/api/v2/logs")
        [log] = asked.json
        for name in ("ddsource", "ddtags", "message", "service"):
            must(isinstance(log[name], str) and log[name], name)
        must(len(asked.body) <= 1024 * 1024, "at most 1 MB a log")
        dated = {"timestamp", "date", "_timestamp", "Timestamp", "eventTime", "published_date"} & log.keys()
        must(not dated, f"a log from more than 18 hours ago is lost: {dated}")

    def allowed(self, asked: Asked) -> bool:
        """See `VendorServer.allowed`."""
        return asked.headers.get("dd-api-key") == self.secrets["T_DD_KEY"]

    def accept(self, asked: Asked) -> Reply:
        """See `VendorServer.accept`."""
        return Reply(202, {})
