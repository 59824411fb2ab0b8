"""ListChangedFailures: who keeps the open failures learns what has changed, and when to begin again."""

import base64
import json
import shutil

import pytest
from cavra.delivery.v1 import delivery_pb2 as pb

from tests.contract.delivery.desk import Desk, webhook
from tests.support.receiver import Receiver


class Reader:
    """Keeps the open failures, as the contract says."""

    def __init__(self, desk: Desk, page_size: int = 2) -> None:
        self.desk = desk
        self.page_size = page_size
        self.cursor = ""
        self.kept: dict[str, pb.Failure] = {}
        self.begun = 0
        self.told = 0

    async def page(self) -> bool:
        request = pb.ListChangedFailuresRequest(cursor=self.cursor, page_size=self.page_size)
        answer = await self.desk.call("ListChangedFailures", request, self.desk.service)
        if answer.begins:
            self.kept.clear()
            self.begun += 1
        for failure in answer.failures:
            self.told += 1
            self.kept.pop(failure.key.delivery_id, None)
            if failure.open:
                self.kept[failure.key.delivery_id] = failure
        self.cursor = answer.next_cursor
        return bool(answer.more)

    async def read(self) -> dict[str, pb.Failure]:
        while await self.page():
            pass
        return self.kept


async def fail(desk: Desk, receiver: Receiver, count: int = 1) -> None:
    receiver.status = 503
    for _ in range(count):
        await desk.deliver("webhook")
    receiver.status = 200


async def truth(desk: Desk) -> dict[str, pb.Failure]:
    return {one.key.delivery_id: one for one in await desk.failures()}


async def test_a_reader_has_all_open_failures_and_then_only_hears_of_changes(
    desk: Desk, receiver: Receiver
) -> None:
    await fail(desk, receiver, 5)
    reader = Reader(desk)
    assert await reader.read() == await truth(desk)
    assert (len(reader.kept), reader.told) == (5, 5)
    await reader.read()
    assert reader.told == 5
    failures = await desk.failures()
    await desk.retry(await desk.claim(failures[0]))
    receiver.status = 503
    await desk.retry(await desk.claim(failures[1]))
    await fail(desk, receiver)
    assert await reader.read() == await truth(desk)
    assert (len(reader.kept), reader.told, reader.begun) == (5, 8, 1)


async def test_what_closes_while_a_reader_begins_is_not_kept(desk: Desk, receiver: Receiver) -> None:
    await fail(desk, receiver, 5)
    reader = Reader(desk)
    assert await reader.page()
    oldest, *_, newest = await desk.failures()
    await desk.retry(await desk.claim(oldest))
    await desk.retry(await desk.claim(newest))
    assert await reader.read() == await truth(desk)
    assert len(reader.kept) == 3


async def test_who_begins_hears_nothing_of_what_was_closed_before(desk: Desk, receiver: Receiver) -> None:
    await fail(desk, receiver, 3)
    await desk.retry(await desk.claim((await desk.failures())[0]))
    reader = Reader(desk)
    await reader.read()
    assert reader.told == 2


@pytest.mark.parametrize("shorter", [True, False], ids=["shorter", "grown since"])
async def test_a_reader_begins_again_after_an_older_backup_was_restored(
    closed_desk: Desk, receiver: Receiver, shorter: bool
) -> None:
    desk, reader = closed_desk, Reader(closed_desk)
    desk.connectors(webhook=webhook(receiver.url + "/hook"))
    async with desk.open():
        await fail(desk, receiver, 2)
        await reader.read()
    shutil.copytree(desk.installation.settings.data_dir, desk.folder / "backup")
    async with desk.open():
        await desk.retry(await desk.claim((await desk.failures())[0]))
        await fail(desk, receiver)
        await reader.read()
    shutil.copytree(desk.folder / "backup", desk.installation.settings.data_dir, dirs_exist_ok=True)
    async with desk.open():
        await fail(desk, receiver, 0 if shorter else 4)
        assert await reader.read() == await truth(desk)
    assert reader.begun == 2


@pytest.mark.parametrize(
    "cursor",
    ["x", "bm8", "💥", "W1tb" * 20_000, *(
        base64.urlsafe_b64encode(json.dumps(one).encode()).decode()
        for one in ([1, 2, 3], [1, 2, 3, "no hash"], [-2, 0, 0, ""], [2**70, 0, 0, ""], ["1", 0, 0, ""], [1, 0, 0, None])
    )],
    ids=["letter", "text", "no base64", "nested without end", "short", "no hash", "negative", "huge", "text number", "null"],
)  # fmt: skip
async def test_a_cursor_of_another_list_is_refused(desk: Desk, cursor: str) -> None:
    request = pb.ListChangedFailuresRequest(cursor=cursor)
    refusal = await desk.refusal("ListChangedFailures", request, desk.service)
    assert refusal == ("invalid_page_token", "cursor")
