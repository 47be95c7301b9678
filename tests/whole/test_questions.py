"""What the terminal asks while it works: held open, answered once, withdrawn, or refused."""

from pathlib import Path

import pytest
import trio
from posts import Peer, Untouched, peer, question
from trio.testing import MockClock
from wholelane import lane


class Question:
    """An InputRequest that is held open."""

    def __init__(self, terminal: Peer, nursery: trio.Nursery) -> None:
        self.confirmed: str | None = None
        self.done = trio.Event()
        self.scope = trio.CancelScope()
        nursery.start_soon(self._ask, terminal)

    async def _ask(self, terminal: Peer) -> None:
        with self.scope:
            body = await terminal.ask(question("Godkänns signaturen?"))
            assert [part.tag for part in body] == ["OutputResult", "InputResult"]
            self.confirmed = body.findtext("InputResult/Input/ConfirmedFlag")
        self.done.set()


TILL = {"signature": "till"}


@pytest.mark.parametrize("confirmed", [True, False])
async def test_a_question_is_held_until_it_is_answered(
    tmp_path: Path, autojump_clock: MockClock, confirmed: bool
) -> None:
    async with (
        lane(tmp_path, "aborted", payment=TILL) as rig,
        peer(rig) as terminal,
        rig.stream() as stream,
        trio.open_nursery() as nursery,
    ):
        await rig.put()
        asked = Question(terminal, nursery)
        prompt = (await stream.until("prompt", kind="signature")).data
        assert prompt["text"] == "Godkänns signaturen?"
        await trio.sleep(20)
        assert not asked.done.is_set()
        await rig.post(f"/v1/prompts/{prompt['id']}", {"confirmed": confirmed})
        await asked.done.wait()
        assert asked.confirmed == str(confirmed).lower()
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)


async def test_a_question_is_withdrawn_when_the_terminal_hangs_up(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        lane(tmp_path, "aborted", payment=TILL) as rig,
        peer(rig) as terminal,
        rig.stream() as stream,
        trio.open_nursery() as nursery,
    ):
        await rig.put()
        asked = Question(terminal, nursery)
        prompt = (await stream.until("prompt", kind="signature")).data
        asked.scope.cancel()
        closed = await stream.until("prompt", by="terminal")
        assert closed.data == prompt | {"answer": None, "by": "terminal"}
        assert (await rig.view())["prompt"] is None
        late = await rig.post(f"/v1/prompts/{prompt['id']}", {"confirmed": True})
        assert late.json()["code"] == "prompt_closed"
        assert (await rig.payment())["signature"] is None
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)


async def test_a_newer_question_withdraws_the_older_which_is_answered_no(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        lane(tmp_path, "aborted", payment=TILL) as rig,
        peer(rig) as terminal,
        rig.stream() as stream,
        trio.open_nursery() as nursery,
    ):
        await rig.put()
        first = Question(terminal, nursery)
        older = (await stream.until("prompt", kind="signature")).data
        second = Question(terminal, nursery)
        await first.done.wait()
        assert first.confirmed == "false"
        newer = (await rig.view())["prompt"]
        assert newer["id"] != older["id"]
        await rig.post(f"/v1/prompts/{newer['id']}", {"confirmed": True})
        await second.done.wait()
        assert second.confirmed == "true"
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)


@pytest.mark.parametrize("command", ["GetAnyKey", "DigitString", "Password", "NoSuchThing"])
async def test_other_questions_are_refused_at_once(
    tmp_path: Path, autojump_clock: MockClock, command: str
) -> None:
    async with lane(tmp_path, "aborted", payment=TILL) as rig, peer(rig) as terminal:
        await rig.put()
        await rig.terminal.until(lambda: rig.terminal.display == ("Present card",))
        await trio.testing.wait_all_tasks_blocked()
        with Untouched(rig):
            body = await terminal.ask(question(command=command))
        response = body.find("InputResult/Response")
        assert response is not None
        assert response.get("Result") == "Failure"
        assert response.get("ErrorCondition") == "UnavailableService"
        assert body.find("InputResult/Input") is None
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)


@pytest.mark.parametrize("policy", ["decline", "button", "till"])
async def test_a_question_without_a_payment_is_answered_no_and_nobody_is_asked(
    tmp_path: Path, autojump_clock: MockClock, policy: str
) -> None:
    async with (
        lane(tmp_path, payment={"signature": policy}) as rig,
        peer(rig) as terminal,
        rig.stream() as stream,
    ):
        for _ in range(2):
            body = await terminal.ask(question())
            assert body.findtext("InputResult/Input/ConfirmedFlag") == "false"
        assert stream.of("prompt") == []
        assert (await rig.pay())["state"] == "approved"


async def test_the_terminals_time_limit_is_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path, "aborted", payment=TILL) as rig, peer(rig) as terminal:
        await rig.put()
        begun = trio.current_time()
        body = await terminal.ask(question(seconds=10))
        assert body.findtext("InputResult/Input/ConfirmedFlag") == "false"
        assert 8 <= trio.current_time() - begun < 10
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)
