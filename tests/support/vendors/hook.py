"""A receiver of Standard Webhooks, which checks signatures with that project's own library.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from typing import Any, ClassVar

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.support.vendors.server import Asked, Reply, VendorServer, posted


class SignedHook(VendorServer):
    """Takes what is signed by its secret."""

    kind = "webhook"
    secrets: ClassVar = {"T_HOOK_SECRET": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}
    rejected = Reply(400, b"no")

    def entry(self) -> dict[str, Any]:
        """See `VendorServer.entry`."""
        return {"url": f"{self.url}/hook", "signing_secret_env": "T_HOOK_SECRET"}

    def check(self, asked: Asked) -> None:
        """See `VendorServer.check`."""
        posted(asked, "/hook")

    def allowed(self, asked: Asked) -> bool:
        """See `VendorServer.allowed`."""
        try:
            Webhook(self.secrets["T_HOOK_SECRET"]).verify(asked.body, asked.headers)
        except WebhookVerificationError:
            return False
        return True

    def accept(self, asked: Asked) -> Reply:
        """See `VendorServer.accept`."""
        return Reply(204)
