"""While services run, what their start made is not walked again; afterwards everything is as it was."""

import gc

from cavra_service.garbage import looked_for_rarely


def test_the_thresholds_come_back_with_the_last_service_that_stops_in_whatever_order() -> None:
    before = gc.get_threshold()
    one, other = looked_for_rarely(), looked_for_rarely()
    one.__enter__()
    raised = gc.get_threshold()
    assert raised[0] > 10 * before[0]
    assert gc.get_freeze_count() > 1_000
    other.__enter__()
    one.__exit__(None, None, None)
    assert gc.get_threshold() == raised
    assert gc.get_freeze_count() > 1_000
    other.__exit__(None, None, None)
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
