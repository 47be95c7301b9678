"""A journal that is lost, damaged or another daemon's (money rules 11 and 13)."""

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock
from wholelane import Rig, World, configured, lane, refused, world

from laned.daemon import open_journal
from laned.journal.store import BrokenJournal, Journal, JournalBusy
from laned.simulator import SCENARIOS, State

GARBAGE = b"This is not a database. " * 1000
AMOUNT = b'{"amount": "1"}'
SLOW = replace(SCENARIOS["happy"], card_time=60.0)


def after(found: World, sent: int) -> list[str]:
    """The categories sent since the first `sent`."""
    return found.categories()[sent:]


def foreign(rig: Rig) -> list[tuple[str | None, str]]:
    """The transactions that the journal holds as foreign: the terminal's id, and the result."""
    rows = rig.db.execute("SELECT poi_transaction, document FROM foreign_transactions").fetchall()
    return [(poi, json.loads(document)["response"]["result"]) for poi, document in rows]


async def no_payment(rig: Rig, code: str = "journal_unavailable") -> None:
    """A payment is refused, not recorded and not sent."""
    sent = rig.world.categories()
    await refused(rig, "PUT", "/v1/payments/none", 503, code, content=AMOUNT)
    assert rig.world.categories() == sent


def asides(folder: Path) -> list[Path]:
    """The journals that were set aside."""
    return list(folder.glob("*aside*"))


# -- New ------------------------------------------------------------------------------------------


async def test_the_very_first_start_asks_before_it_logs_in_and_needs_nobody(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        assert rig.world.categories() == ["TransactionStatus", "Login"]
        assert rig.terminal.requests[0].reference == ""
        assert (await rig.view())["journal"] == "ok"
        assert (await rig.pay())["state"] == "approved"


async def test_a_journal_in_place_of_a_lost_one_takes_no_payment_until_a_person_knows(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        found.open_journal = open_journal
        rig = await found.start()
        await rig.pay("old")
        await rig.settled()
        await rig.kill()
        found.lose_journal()
        sent = len(found.categories())

        rig = await found.start()
        assert after(found, sent) == ["TransactionStatus", "Login"]
        assert found.terminal.requests[sent].reference == ""
        (entry,) = found.terminal.ledger
        assert foreign(rig) == [(entry.poi_transaction_id, "Success")]
        async with rig.stream() as stream:
            assert stream.told[0].data["journal"] == "new"
            assert (await rig.view())["journal"] == "new"
            await no_payment(rig)
            assert (await rig.get("/v1/payments/none")).status_code == 404
            assert (await rig.get("/v1/payments")).json() == {"payments": []}
            assert (await rig.view())["journal"] == "new"

            answer = await rig.post("/v1/session/acknowledge-journal")
            assert (answer.status_code, answer.json()["journal"]) == (200, "ok")
            assert (await stream.until("journal")).data == {"journal": "ok"}
            again = await rig.post("/v1/session/acknowledge-journal")
            assert (again.status_code, again.json()["journal"]) == (200, "ok")
            assert stream.of("journal") == [{"journal": "ok"}]
        assert (await rig.pay("next"))["state"] == "approved"


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_it_is_new_until_acknowledged_and_not_again_also_in_later_lives(
    tmp_path: Path, autojump_clock: MockClock, how: str
) -> None:
    async with world(tmp_path) as found:
        found.open_journal = open_journal
        rig = await found.start()
        await (rig.kill() if how == "kill" else rig.stop())
        found.lose_journal()
        for life, (expected, acknowledge) in enumerate(
            [("new", False), ("new", True), ("ok", False), ("ok", False)]
        ):
            sent = len(found.categories())
            rig = await found.start()
            assert after(found, sent) == ["TransactionStatus", "Login"][life > 0 :]
            assert (await rig.view())["journal"] == expected
            if expected == "new":
                await no_payment(rig)
            if acknowledge:
                await rig.post("/v1/session/acknowledge-journal")
            await (rig.kill() if how == "kill" else rig.stop())
        await found.start()


async def test_a_terminal_at_work_for_a_lost_journal_is_not_logged_in_to(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A Login would end a payment that a customer is just making (money rule 11)."""
    async with world(tmp_path, SLOW) as found:
        found.open_journal = open_journal
        found.callbacks_may_fail = True
        rig = await found.start()
        async with rig.stream() as stream:
            await rig.put("lost")
            await stream.until("display", lines=["Present card"])
        found.lost.add("lost")
        await rig.kill()
        found.lose_journal()
        sent = len(found.categories())

        rig = await found.start(settled=False)
        await trio.sleep(20)
        assert found.terminal.running
        assert set(after(found, sent)) == {"TransactionStatus"}
        view = await rig.view()
        assert (view["journal"], view["payment"]) == ("new", None)
        session = view["session"]
        assert (session["state"], session["reason"]) == ("offline", "terminal_busy")
        assert view["display"]["lines"] == ["Checking last payment"]
        await no_payment(rig, "terminal_unavailable")
        await refused(rig, "POST", "/v1/session/login", 503, "terminal_unavailable")
        await refused(rig, "POST", "/v1/session/logout", 503, "terminal_unavailable")
        assert set(after(found, sent)) == {"TransactionStatus"}
        async with rig.stream() as stream:
            await stream.until("session", state="logging_in")
        assert not found.terminal.running
        (entry,) = found.terminal.ledger
        assert entry.state is State.CHARGED
        assert foreign(rig) == [(entry.poi_transaction_id, "Success")]
        await rig.settled()
        sequence = after(found, sent)
        assert sequence[-1] == "Login"
        assert set(sequence[:-1]) == {"TransactionStatus"}
        await rig.post("/v1/session/acknowledge-journal")
        rig.terminal.next_scenarios.append(SCENARIOS["happy"])
        assert (await rig.pay("next"))["state"] == "approved"
        assert len(foreign(rig)) == 1


async def test_a_terminal_that_is_away_is_asked_until_it_answers(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        found.network.unplugged = True
        rig = await found.start(settled=False)
        await trio.sleep(100)
        view = await rig.view()
        assert view["session"]["state"] == "offline"
        assert view["session"]["reason"] == "unreachable"
        assert view["display"]["lines"] == ["Card terminal offline"]
        await no_payment(rig, "terminal_unavailable")
        found.network.unplugged = False
        await rig.settled()
        assert found.categories() == ["TransactionStatus", "Login"]
        assert (await rig.pay())["state"] == "approved"


async def test_a_stop_before_the_terminal_has_answered_asks_again_in_the_next_life(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        found.network.unplugged = True
        rig = await found.start(settled=False)
        await trio.sleep(5)
        begun = trio.current_time()
        await rig.stop()
        assert trio.current_time() - begun < 1
        found.network.unplugged = False
        rig = await found.start()
        assert found.categories() == ["TransactionStatus", "Login"]
        await rig.kill()


# -- Damaged --------------------------------------------------------------------------------------


async def test_a_damaged_journal_is_left_alone_and_nothing_is_sent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        found.open_journal = open_journal
        path = tmp_path / "journal.sqlite3"
        path.write_bytes(GARBAGE)
        rig = await found.start(settled=False)
        async with rig.stream() as stream:
            first = stream.told[0].data
            assert (first["journal"], first["payment"]) == ("corrupt", None)
            assert (first["session"]["state"], first["session"]["reason"]) == ("offline", "journal")
            assert first["display"]["lines"] == ["Out of service"]
            await trio.sleep(3600)
            await no_payment(rig)
            for method, route in (
                ("GET", "payments"),
                ("GET", "payments/p-1"),
                ("POST", "payments/p-1/abort"),
                ("POST", "session/login"),
                ("POST", "session/logout"),
            ):
                await refused(rig, method, f"/v1/{route}", 503, "journal_unavailable")
            assert (await rig.get("/v1/display.png")).status_code == 200
            view = await rig.view()
            assert (view["journal"], view["session"]) == ("corrupt", first["session"])
            begun = trio.current_time()
            await rig.stop()
            assert trio.current_time() - begun < 1
            await stream.ended.wait()
            assert not stream.cut
        assert found.categories() == []
        assert path.read_bytes() == GARBAGE
        assert asides(tmp_path) == []
        path.unlink()


async def test_an_acknowledgement_does_not_mend_a_damaged_journal(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        found.open_journal = open_journal
        (tmp_path / "journal.sqlite3").write_bytes(GARBAGE)
        rig = await found.start(settled=False)
        path = "/v1/session/acknowledge-journal"
        await refused(rig, "POST", path, 503, "journal_unavailable")
        assert (await rig.view())["journal"] == "corrupt"
        await no_payment(rig)
        await rig.stop()
        (tmp_path / "journal.sqlite3").unlink()


async def test_a_damaged_journal_is_set_aside_where_that_is_wanted(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    aside: dict[str, Any] = {"journal": {"on_corrupt": "aside"}}
    async with world(tmp_path) as found:
        found.open_journal = open_journal
        path = tmp_path / "journal.sqlite3"
        rig = await found.start(**aside)
        await rig.pay("old")
        await rig.settled()
        await rig.stop()
        found.lost.add("old")
        damaged = path.read_bytes()[:4096] + GARBAGE
        path.write_bytes(damaged)
        sent = len(found.categories())

        rig = await found.start(**aside)
        assert (tmp_path / "journal.sqlite3.aside-1").read_bytes() == damaged
        assert (await rig.view())["journal"] == "new"
        assert after(found, sent) == ["TransactionStatus", "Login"]
        await no_payment(rig)
        await rig.post("/v1/session/acknowledge-journal")
        assert (await rig.pay("next"))["state"] == "approved"
        service_ids = [int(request.service_id) for request in found.terminal.requests]
        assert len(service_ids) == len(set(service_ids))


def test_a_journal_of_another_daemon_is_neither_used_nor_set_aside(tmp_path: Path) -> None:
    config = configured(tmp_path, {"journal": {"on_corrupt": "aside"}})
    first = open_journal(config)
    try:
        assert isinstance(first, Journal)
        with pytest.raises(JournalBusy, match="another laned"):
            open_journal(config)
    finally:
        first.close()
    assert asides(tmp_path) == []


def test_a_journal_that_cannot_be_opened_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = configured(tmp_path, {"journal": {"path": str(tmp_path / "file" / "journal.sqlite3")}})
    journal = open_journal(config)
    assert isinstance(journal, BrokenJournal)
    assert journal.past().journal == "read_only"
