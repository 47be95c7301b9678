"""The journal's health, found out before a customer does.

A look costs no write: an SD card is not worn out by it. Where the look says that there may be no
room, or something was wrong before, a write decides.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import trio

from laned.journal.store import Journal, JournalError
from laned.offload import Offload

LOOK_EVERY: Final = 15.0  # seconds


async def watch(
    journal: Journal, offload: Offload, health: Callable[[], str], report: Callable[[str], None]
) -> None:
    """Look now and every LOOK_EVERY; `report` what differs from `health`, both ways.

    A journal that is "new" stays so: a person has to acknowledge it.
    """
    while True:
        known = health()
        try:
            await offload(partial(journal.probe, by_writing=known not in ("ok", "new")))
        except JournalError as error:
            found = error.condition
        else:
            found = "ok"
        if found != health() != "new":
            report(found)
        await trio.sleep(LOOK_EVERY)
