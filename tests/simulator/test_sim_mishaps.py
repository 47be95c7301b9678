"""What keeps a response from the till: a broken connection, and a terminal that restarts."""

from typing import Any

import pytest
import trio
from simtill import OK, answer_to_payment, bench, login_body, request, result
from trio.testing import MockClock

NOT_ALLOWED = ("Failure", "NotAllowed")
NOT_FOUND = ("Failure", "NotFound")


@pytest.mark.parametrize("scenario", ["lost-response", "reboot", "reboot-forgets"])
async def test_the_connection_breaks_once_the_books_are_written(
    scenario: str, autojump_clock: MockClock
) -> None:
    """An answer begins and is broken off: no peer can take it for a whole one."""
    async with bench(scenario) as b:
        await b.login()
        (start,) = await answer_to_payment(b, "70")
        assert start["type"] == "http.response.start"
        assert (b"content-length", b"1") in start["headers"]
        assert b.terminal.ledger.balance() == 38
        assert b.terminal.violations == []


async def test_a_lost_response_is_found_and_the_terminal_goes_on(autojump_clock: MockClock) -> None:
    async with bench("lost-response") as b:
        await b.login()
        await answer_to_payment(b, "70")
        assert b.terminal.display == ("Approved",)
        assert result(await b.status("70")) == OK
        await b.settle()
        assert b.terminal.display == ("Welcome",)
        assert b.lines[-1] == "display: Welcome"
        assert "cut off before answering Payment 70" in b.lines
        assert "answered Payment 70" not in b.lines


@pytest.mark.parametrize(("scenario", "found"), [("reboot", OK), ("reboot-forgets", NOT_FOUND)])
async def test_after_the_restart_there_is_no_session_and_perhaps_no_memory(
    scenario: str, found: tuple[str, str], autojump_clock: MockClock
) -> None:
    async with bench(scenario) as b:
        await b.login()
        await answer_to_payment(b, "70")
        assert not b.terminal.powered
        assert (await b.post(request("TransactionStatus", "71", ""))).status_code == 503
        await b.terminal.until(lambda: b.terminal.powered)
        assert result(await b.status("70")) == NOT_ALLOWED
        await b.login()
        assert result(await b.status("70")) == found
        assert result(await b.status()) == found  # nor of what came last
        assert "display: Approved" not in b.lines  # nobody has seen how it ended


async def test_a_login_in_the_middle_takes_the_mishaps_place(autojump_clock: MockClock) -> None:
    """A payment that a Login has ended does not restart the terminal later on."""
    async with bench("reboot") as b:
        await b.login()
        sent: list[Any] = []

        async def pay() -> None:
            sent.extend(await answer_to_payment(b, "70"))

        b.nursery.start_soon(pay)
        await b.shown("Present card")
        assert result(await b.send("Login", login_body())) == OK
        await trio.sleep(60)
        assert b.terminal.powered
        assert "power off" not in b.lines
        assert len(sent) == 1
        assert b.terminal.ledger.balance() == 0
