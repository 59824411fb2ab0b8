"""What a reader of the feed has missed."""

from cavra_gateway.console.live_feed import Change, Message, Ring, positions_of


def ring(*changes: Change, most: int = 8) -> Ring:
    """A ring that has stood at nothing and seen `changes`."""
    made = Ring(most)
    made.positions = {"delivery": 0, "recovery": 0, "retry": 0}
    for change in changes:
        made.add(change)
    return made


def change(service: str, before: int, after: int, noun: str = "", trace: str = "") -> Change:
    """A change of one noun and trace."""
    return Change(service, before, after, frozenset({noun} - {""}), frozenset({trace} - {""}))


SENT = change("delivery", 0, 2, "connector_delivery", "d1")
PLANNED = change("retry", 0, 1, "retry_plan", "d1")
AGAIN = change("delivery", 2, 3, "delivery_plan", "d2")


def told(message: Message) -> tuple[set[str], set[str], bool]:
    """(nouns, traces, reset) of a message."""
    return set(message.nouns), set(message.traces), message.reset


def test_who_has_just_loaded_a_page_has_missed_nothing() -> None:
    assert told(ring(SENT, PLANNED).resumed({})) == (set(), set(), False)


def test_who_comes_back_is_told_what_came_meanwhile_and_nothing_else() -> None:
    seen = {"delivery": 2, "recovery": 0, "retry": 0}
    assert told(ring(SENT, PLANNED, AGAIN).resumed(seen)) == (
        {"retry_plan", "delivery_plan"},
        {"d1", "d2"},
        False,
    )


def test_who_has_seen_all_has_missed_nothing() -> None:
    seen = {"delivery": 3, "recovery": 0, "retry": 1}
    assert told(ring(SENT, PLANNED, AGAIN).resumed(seen)) == (set(), set(), False)


def test_who_was_away_for_longer_than_changes_are_kept_reads_everything_anew() -> None:
    kept = ring(SENT, PLANNED, AGAIN, most=2)
    assert kept.resumed({"delivery": 0, "recovery": 0, "retry": 0}).reset
    assert not kept.resumed({"delivery": 2, "recovery": 0, "retry": 0}).reset
    assert kept.since(0).reset
    assert not kept.since(1).reset


def test_who_has_seen_more_than_there_is_looks_at_another_log_than_there_was() -> None:
    assert ring(SENT).resumed({"delivery": 9, "recovery": 0, "retry": 0}).reset


def test_who_never_knew_a_log_that_is_there_now_reads_everything_anew() -> None:
    assert ring(PLANNED).resumed({"delivery": 0, "recovery": 0}).reset


def test_a_log_that_became_shorter_is_read_anew_by_everybody() -> None:
    assert ring(SENT, change("delivery", 2, 1)).since(1).reset


def test_changes_between_two_messages_are_told_in_one() -> None:
    assert told(ring(SENT, PLANNED, AGAIN).since(1)) == ({"retry_plan", "delivery_plan"}, {"d1", "d2"}, False)


def test_an_event_says_where_its_reader_stands_in_each_log() -> None:
    message = ring(SENT, PLANNED).since(0)
    where, _, data = message.text().split("\n")[:3]
    assert where == "id: delivery:2,recovery:0,retry:1"
    assert positions_of(where.removeprefix("id: ")) == message.positions
    assert '"traces":["d1"]' in data


def test_an_event_that_is_about_many_traces_says_so_in_place_of_their_ids() -> None:
    many = Change("retry", 0, 300, frozenset({"retry_plan"}), frozenset(f"d{n}" for n in range(300)))
    assert '"traces":[],"many":true' in ring(many).since(0).text()


def test_what_is_no_event_id_stands_nowhere() -> None:
    for text in ("", "x", "delivery:", "delivery:-1", "a:1,b:2,c:3,d:4", "delivery:1,<script>:2", "é:1"):
        assert positions_of(text) == {}
