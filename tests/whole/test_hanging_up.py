"""What is said to nobody: nothing. And how many streams there may be."""

from pathlib import Path
from typing import Any

import pytest
import trio
from posts import PATH, question
from trio.testing import MockClock
from wholelane import ADDRESS, TILL, lane

from laned.http.asgi import ASGIApp, Message, Scope
from laned.http.serve import PEER, Peer
from laned.till.problems import ProblemError
from laned.till.streams import MAX_STREAMS, MAX_STREAMS_OF_ONE, Streams

SIGNATURES = {"signature": "till"}


def scope(method: str, path: str, **changes: Any) -> Scope:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"prefer", b"wait=60")],
        "client": None,
        "extensions": {PEER: TILL},
    } | changes


async def said_to_nobody(app: ASGIApp, asked: Scope, body: bytes) -> list[Message]:
    """What an app says on a connection whose peer hangs up a second after its request."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    said: list[Message] = []

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await trio.sleep(1)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await trio.lowlevel.checkpoint()
        said.append(message)

    await app(asked, receive, send)
    return said


@pytest.mark.parametrize("method", ["PUT", "GET"])
async def test_no_answer_is_made_up_for_a_till_that_hung_up(
    tmp_path: Path, autojump_clock: MockClock, method: str
) -> None:
    async with lane(tmp_path) as rig:
        if method == "GET":
            await rig.put()
        asked = scope(method, "/v1/payments/p-1")
        assert await said_to_nobody(rig.lane.till, asked, b'{"amount": "38.00"}') == []
        assert (await rig.payment(wait=60))["state"] == "approved", "it changes nothing"


async def test_no_answer_is_made_up_for_a_terminal_that_hung_up(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, "aborted", payment=SIGNATURES) as rig:
        await rig.put()
        await rig.terminal.until(lambda: rig.terminal.display == ("Present card",))
        asked = scope("POST", PATH, client=(ADDRESS, 40999))
        assert await said_to_nobody(rig.lane.callback, asked, question()) == []
        assert (await rig.view())["prompt"] is None
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)


def test_streams_are_counted() -> None:
    streams, held = Streams(), []

    def opened(uid: int | None) -> bool:
        one = streams.one_more(None if uid is None else Peer(1, uid, uid))
        try:
            one.__enter__()
        except ProblemError:
            return False
        held.append(one)
        return True

    assert [opened(0) for _ in range(20)].count(True) == MAX_STREAMS_OF_ONE == 8
    held.pop().__exit__(None, None, None)
    assert [opened(0), opened(0)] == [True, False]
    assert sum(opened(uid) for uid in range(1, 100)) == MAX_STREAMS - 8 == 24
    held.pop().__exit__(None, None, None)
    assert [opened(None), opened(0), opened(5)] == [True, False, False]


async def test_streams_beyond_their_number_are_refused(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Those that have ended do not count, nor do commands."""
    async with lane(tmp_path) as rig:
        for _ in range(20):
            async with rig.stream():
                pass
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:

            async def forgotten() -> None:
                async with rig.stream():
                    await trio.sleep_forever()

            for _ in range(MAX_STREAMS_OF_ONE):
                nursery.start_soon(forgotten)
            await trio.testing.wait_all_tasks_blocked()
            answer = await rig.get("/v1/events")
            assert (answer.status_code, answer.json()["code"]) == (409, "too_many_streams")
            assert (await rig.view())["session"]["state"] == "ready"
            nursery.cancel_scope.cancel()
