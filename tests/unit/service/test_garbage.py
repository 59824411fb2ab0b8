"""While services run, what their start made is not walked again; afterwards everything is as it was."""

import gc

from cavra_service.garbage import looked_for_rarely


def test_the_thresholds_come_back_also_when_one_service_of_several_stops() -> None:
    before = gc.get_threshold()
    with looked_for_rarely():
        raised = gc.get_threshold()
        assert raised[0] > 10 * before[0]
        assert gc.get_freeze_count() > 1_000
        with looked_for_rarely():
            assert gc.get_threshold() == raised
        assert gc.get_threshold() == raised
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
