"""Microsoft Teams: an adaptive card to a workflow's webhook.

https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook
https://adaptivecards.io/explorer/AdaptiveCard.html
https://learn.microsoft.com/adaptive-cards/create/textfeatures
"""

from typing import Final

from cavra_delivery.connectors.base import Answer, Event, Rendered, Response
from cavra_delivery.connectors.forms.form import Form, json_body
from cavra_delivery.connectors.judging import by_status, unclear
from cavra_delivery.connectors.summary import summary_of

_COLOUR: Final = {"healthy": "good", "warning": "warning", "critical": "attention"}


class Teams(Form):
    """One card: a title and a fact set."""

    def render(self, event: Event, message_id: str) -> Rendered:
        """See `Form.render`."""
        summary = summary_of(event)
        title = {
            "type": "TextBlock",
            "text": _escaped(summary.title),
            "weight": "bolder",
            "size": "medium",
            "wrap": True,
            "color": _COLOUR[summary.severity],
        }
        facts = [{"title": label, "value": _escaped(value)} for label, value in summary.facts]
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [
                title,
                {"type": "FactSet", "facts": facts},
                {"type": "TextBlock", "text": f"CAVRA {message_id}", "isSubtle": True, "size": "small"},
            ],
            "msteams": {"width": "Full"},
        }
        attachment = {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": card,
        }
        return json_body({"type": "message", "attachments": [attachment]})

    def judge(self, response: Response, message_id: str) -> Answer:
        """See `Form.judge`. A workflow answers 202 and nothing else when it has taken a card in."""
        answer = by_status(response)
        return unclear(response) if answer.delivered and response.status != 202 else answer


def _escaped(text: str) -> str:
    """No text of ours is a link: a card reads `[words](address)` as one."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
