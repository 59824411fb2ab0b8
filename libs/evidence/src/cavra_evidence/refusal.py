"""How a rule says no: with a reason code and the field, and never with the caller's text."""


class Refusal(Exception):
    """A command is refused; nothing is to be written. `reason` is one of the reason codes that `cavra_service.errors` lists."""

    def __init__(self, reason: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field
