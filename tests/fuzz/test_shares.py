"""How much is tried."""

from tests.fuzz import shares
from tests.fuzz.messages import RPCS


def test_the_api_and_the_services_are_sent_ten_thousand_odd_requests_beside_those_with_bad_tokens() -> None:
    parts, each = shares.MUTATED
    over_http = parts * each + shares.DESCRIBED_SENT + shares.RAW
    over_grpc = sum(shares.MESSAGES_SENT) + (shares.BYTES + shares.METADATA) * len(RPCS)
    assert over_http + over_grpc >= 10_000
