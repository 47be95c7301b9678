"""A journal that cannot grow (money rule 13)."""

from pathlib import Path

import trio
from trio.testing import MockClock
from wholelane import Rig, World, lane, world

from laned.daemon import open_journal


def fill(rig: Rig) -> None:
    """Let the journal grow no more."""
    (pages,) = rig.db.execute("PRAGMA page_count").fetchone()
    rig.db.execute(f"PRAGMA max_page_count = {pages}")


def room(rig: Rig) -> None:
    """Let the journal grow again."""
    rig.db.execute("PRAGMA max_page_count = 1000000")


async def test_a_payment_that_cannot_be_recorded_is_not_begun_and_the_lane_tells_why(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, payment={"confirm": "button"}) as rig, rig.stream() as stream:
        for number in range(100):
            fill(rig)
            answer = await rig.put(f"n-{number}")
            if answer.status_code == 503:
                break
            room(rig)
            await rig.post(f"/v1/payments/n-{number}/abort")
        assert (answer.status_code, answer.json()["code"]) == (503, "journal_unavailable")
        assert (await rig.get(f"/v1/payments/n-{number}")).status_code == 404
        assert (await stream.until("journal")).data == {"journal": "full"}
        view = await rig.view()
        assert (view["journal"], view["payment"]) == ("full", None)
        assert view["session"]["state"] == "ready"
        assert "Payment" not in rig.world.categories()
        assert (await rig.put(f"n-{number}")).status_code == 503
        assert stream.of("journal") == [{"journal": "full"}]

        room(rig)
        assert (await rig.put(f"n-{number}", confirm="none")).status_code == 201
        await stream.until("journal", journal="ok")
        assert (await rig.payment(f"n-{number}", wait=60))["state"] == "approved"
        assert (await rig.view())["journal"] == "ok"


async def until_answered(found: World) -> None:
    """Wait until the terminal has said how the payment ended."""
    await found.terminal.until(lambda: bool(found.terminal.ledger.charged()))
    await found.terminal.until(lambda: not found.terminal.running)


async def test_an_outcome_that_finds_no_room_is_told_when_it_has(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        found.open_journal = open_journal
        ballast = tmp_path / "journal.sqlite3.ballast"
        rig = await found.start()
        async with rig.stream() as stream:
            await rig.put()
            await stream.until("display", lines=["Authorizing"])
            assert ballast.stat().st_size > 100_000
            fill(rig)
            await until_answered(found)
            await trio.sleep(5)
            assert not ballast.exists()
            assert [payment["state"] for payment in stream.of("payment")] == ["processing"]
            assert (await rig.payment())["state"] == "processing"
            assert (await rig.view())["payment"] == "p-1"
            room(rig)
            told = await stream.until("payment", state="approved")
            assert await rig.payment() == told.data
        await rig.settled()
        assert (await rig.pay("next"))["state"] == "approved"
        assert ballast.exists()


async def test_an_outcome_that_finds_no_room_at_all_is_left_to_the_next_life(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        found.journal_may_fail = found.callbacks_may_fail = True
        rig = await found.start()
        async with rig.stream() as stream:
            await rig.put()
            await stream.until("display", lines=["Authorizing"])
            fill(rig)
            await until_answered(found)
            answered = trio.current_time()
            await rig.done.wait()
            found.terminal.violations.clear()  # of a daemon that is ending, a post gets 503
            assert 10 <= trio.current_time() - answered < 12
            await stream.ended.wait()
            assert [payment["state"] for payment in stream.of("payment")] == ["processing"]
        sent = len(found.categories())
        rig = await found.start(settled=False)
        assert (await rig.payment(wait=60))["state"] == "approved"
        await rig.settled()
        assert found.categories()[sent:] == ["TransactionStatus", "Login"]
