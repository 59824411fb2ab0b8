"""Times on the wire: as protobuf's own conversion has them, and none outside the calendar."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from cavra_service.errors import Refused
from cavra_service.wire import from_timestamp, timestamp
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-11))])
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES)  # noqa: DTZ001 the zones come with them


@given(MOMENTS)
def test_a_time_is_what_protobuf_makes_of_it_and_comes_back(moment: datetime) -> None:
    expected = Timestamp()
    expected.FromDatetime(moment)
    found = timestamp(moment)
    assert found == expected
    assert found is not None
    assert from_timestamp(found) == moment
    assert from_timestamp(found).tzinfo is UTC


def test_no_time_stays_unset() -> None:
    assert timestamp(None) is None


def test_what_is_finer_than_a_record_holds_is_cut_off() -> None:
    assert from_timestamp(Timestamp(nanos=1_999)) == datetime(1970, 1, 1, 0, 0, 0, 1, UTC)


@pytest.mark.parametrize(
    "outside",
    [
        Timestamp(seconds=-62_135_596_801),
        Timestamp(seconds=253_402_300_800),
        Timestamp(seconds=2**62),
        Timestamp(seconds=-(2**63)),
        Timestamp(nanos=-1),
        Timestamp(nanos=1_000_000_000),
    ],
    ids=["year 0", "year 10000", "far", "farther back", "nanos below", "nanos above"],
)
def test_a_time_outside_the_calendar_is_refused_by_field(outside: Timestamp) -> None:
    with pytest.raises(Refused) as refused:
        from_timestamp(outside, "since")
    assert (refused.value.reason, refused.value.field) == ("invalid_value", "since")
