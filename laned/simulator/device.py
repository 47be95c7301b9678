"""The terminal as a device: power, network, address, and the maintenance that it asks for.

This is what happens to a terminal while nobody pays. Source: protocol description, sections Session
and "What the terminal posts to us". Chosen here, as these leave it open: `Shutdown` and
`Initialised` are told around a restart in good order and by no other; what is posted without a
session goes to the till of the last one; in maintenance every request fails with NotAllowed, as
without a session, and while it restarts nothing is answered.
"""

import random
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta
from enum import Enum, auto

import httpx
import trio
from msgspec.structs import replace

from laned.simulator.availability import Availability, Condition
from laned.simulator.dialogue import Dialogue, Phase, Reversible
from laned.simulator.ledger import Ledger
from laned.simulator.listener import Listener, Origin
from laned.simulator.memory import Memory
from laned.simulator.panel import Panel
from laned.simulator.record import Received, Record
from laned.simulator.scenarios import Scenario
from laned.simulator.settings import Settings

MAINTENANCE_AFTER = 2.0
"""Seconds from the Logout that allows maintenance to its beginning."""


class Link(Enum):
    """What becomes of what is sent to the terminal; without one it cannot post either."""

    UP = auto()
    REFUSED = auto()
    """Connections are refused; one that is open breaks at its answer."""
    SILENT = auto()
    """Nothing comes back."""


class Device:
    """A terminal's life apart from what a till asks of it."""

    def __init__(
        self,
        *,
        scenario: Scenario,
        settings: Settings,
        callback: str,
        callback_client: httpx.AsyncClient | None,
        rng: random.Random,
        now: Callable[[], datetime],
        on_event: Callable[[str], None],
    ) -> None:
        self.scenario = scenario
        self.settings = settings
        self.session: Origin | None = None
        self.powered = True
        self.address = settings.address
        """host:port at which it is to be reached, as it tells the till."""
        self.maintenance_required = scenario.maintenance
        """Whether it wants maintenance: it tells so in every session until it was allowed."""
        self.maintenance_allowed = False
        """Whether the last Logout allowed maintenance; false while a session lasts."""
        self.in_maintenance = False
        self.maintenances = 0
        """Maintenances that ended."""
        self.availability = Availability()
        self.ledger = Ledger()
        self.record = Record(self._said)
        self._on_event = on_event
        self._now = now
        self._rng = rng
        self._listener = Listener(callback_client, callback, settings, rng, self.record.violation)
        self._panel = Panel(self._listener, settings, rng, now, self.record.say)
        self._memory = Memory(settings.memory)
        self._nursery: trio.Nursery | None = None
        self._running: Dialogue | None = None
        self._reversible: Reversible | None = None  # always about the last transaction
        self._till = Origin(settings.poi_id, "", posts=True)
        self._poi_ids: dict[str, float] = {}
        self._link = Link.UP
        self._boots = 0
        self._own_work = 0
        self._maintenance = trio.CancelScope()
        self._maintenance_told = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Live until cancelled; started when requests can be answered."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._note()
            if self.settings.daily_reboot is not None:
                nursery.start_soon(self._restart_daily, self.settings.daily_reboot)
            try:
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = None

    # -- What is seen from outside

    @property
    def display(self) -> tuple[str, ...]:
        """The lines on the terminal's display."""
        return self._panel.display

    @property
    def requests(self) -> deque[Received]:
        """What the till sent, in order."""
        return self.record.requests

    @property
    def violations(self) -> list[str]:
        """The rules that the till broke, in order."""
        return self.record.violations

    @property
    def callback_errors(self) -> list[str]:
        """What could not be posted to the listener, and why."""
        return self._listener.errors

    @property
    def operator_language(self) -> str:
        """OperatorLanguage of the last Login."""
        return self._panel.operator_language

    @property
    def running(self) -> str:
        """The ServiceID of the payment or reversal that runs, or empty."""
        return "" if self._running is None else self._running.request.service_id

    @property
    def link(self) -> Link:
        """Its network; `unplug` and `plug` change it."""
        return self._link

    @property
    def reachable(self) -> bool:
        """Whether a connection to it comes about: for what carries requests to it."""
        return self.powered and self._link is Link.UP

    async def until(self, view: Callable[[], bool]) -> None:
        """Wait until the view is true; looked at after every change, so none is missed."""
        await self.record.until(view)

    def _said(self, line: str) -> None:
        self._note()
        self._on_event(line)

    def _note(self) -> None:
        """Count the time by the condition it is in; before `run` there is none."""
        if self._nursery is not None:
            self.availability.note(self._condition())

    def _condition(self) -> Condition:
        if not self.powered:
            return Condition.OFF
        if self._link is not Link.UP:
            return Condition.UNREACHABLE
        if self.in_maintenance:
            return Condition.MAINTENANCE
        if self.session is not None:
            return Condition.OPEN
        return Condition.RESTING if self.maintenance_allowed else Condition.CLOSED

    # -- Power

    async def reboot(self, *, forget: bool = False) -> None:
        """Lose power, the session and what is running, and come back after the boot time.

        A held response never comes. With ``forget``, earlier responses are lost too; without
        `Settings.keeps_newest` the last of them is, unless something newer runs. The ledger is the
        bank's and stays.
        """
        self._boots += 1
        boot = self._boots
        self.powered = False
        interrupted = self._stop()
        self.session = None
        self._panel.display = ()
        if forget:
            self._memory.forget()
            self._reversible = None
        elif not self.settings.keeps_newest and (
            interrupted is None or interrupted.phase is Phase.OVER
        ):
            self._memory.forget_newest()
        self.record.say("power off")
        await trio.sleep(self._panel.scaled(self.settings.boot_time))
        if boot == self._boots:  # else it lost power again meanwhile
            self.powered = True
            self.record.say("power on")

    async def restart(self) -> None:
        """Restart in good order, when nothing runs: tell of `Shutdown`, and of `Initialised`."""
        while self._running is not None:
            await self.until(lambda: self._running is None)
        self._own_work += 1  # no payment begins
        try:
            await self._tell("Shutdown")
            await self.reboot()
        finally:
            self._own_work -= 1
        if self.powered:
            await self._tell("Initialised")

    async def _restart_daily(self, at: time) -> None:
        due = _next(self._now(), at)
        while True:
            left = due - self._now().timestamp()
            if left > 0:
                await trio.sleep(self._panel.scaled(left))
                continue  # the clock on the wall may go otherwise
            await self.restart()
            due = _next(self._now(), at)

    async def swap(self, serial: str) -> None:
        """Another terminal takes its place, with this serial number: it starts, and knows nothing.

        It knows no POIID either (`new_poi_busy`), and wants no maintenance.
        """
        self.record.say(f"taken away: the terminal {serial} takes its place")
        self.settings = replace(self.settings, serial=serial)
        self._poi_ids.clear()
        self._maintenance.cancel()
        self.maintenance_required = self.maintenance_allowed = self.in_maintenance = False
        await self.reboot(forget=True)

    async def work(self, seconds: float) -> None:
        """Be at work on its own for so long: whatever needs the terminal fails with Busy."""
        self._own_work += 1
        self.record.say("works on its own")
        try:
            await trio.sleep(self._panel.scaled(seconds))
        finally:
            self._own_work -= 1
            self.record.say("has nothing to do")

    def _stop(self) -> Dialogue | None:
        """End what runs; without a response of its own, its request is never answered."""
        running, self._running = self._running, None
        if running is not None:
            running.response = running.reset()
            self._reversible = running.reversible
            self.record.say(f"stopped {running.request.category} {running.request.service_id}")
        return running

    # -- Network and address

    def unplug(self, *, silent: bool = False) -> None:
        """Be unreachable from now on; what it works on goes on."""
        self._link = Link.SILENT if silent else Link.REFUSED
        self._listener.unplugged = True
        self.record.say(f"unreachable: {self._link.name.lower()}")

    def plug(self) -> None:
        """Be reachable again."""
        self._link = Link.UP
        self._listener.unplugged = False
        self.record.say("reachable again")

    async def outage(self, seconds: float, *, silent: bool = False) -> None:
        """Be unreachable for so long."""
        self.unplug(silent=silent)
        await trio.sleep(self._panel.scaled(seconds))
        self.plug()

    async def move(self, address: str) -> None:
        """Be reached at another address (host:port) from now on, and tell it. A session goes on."""
        self.address = address
        await self.save()

    async def save(self) -> None:
        """Save is pressed in its menu: it tells the till's listener its address."""
        self.record.say(f"announces its address {self.address}")
        await self._listener.announce(self._till, self.address)

    # -- Maintenance

    def require_maintenance(self) -> None:
        """Want maintenance: ask for it, or begin it where the till has allowed it already."""
        self.maintenance_required = True
        if self.session is not None:
            self._start(self._ask_for_maintenance)
        elif self.maintenance_allowed:
            self._start(self._maintain)

    async def _ask_for_maintenance(self) -> None:
        await self._tell("SaleAdmin", details="Maintenance Required", maintenance=True)

    async def _maintain(self) -> None:
        """The update that a Logout has allowed, perhaps with a restart in its middle."""
        await trio.sleep(self._panel.scaled(MAINTENANCE_AFTER))
        allowed = self.maintenance_required and self.maintenance_allowed
        if not allowed or not self.powered or self.in_maintenance:
            return
        half = self._panel.scaled(self.settings.maintenance_time / 2)
        with trio.CancelScope() as self._maintenance:
            self.in_maintenance = True
            self.record.say("begins its maintenance")
            self._maintenance_told = await self._tell("BeginMaintenance")
            await trio.sleep(half)
            if self.settings.maintenance_reboots:
                await self.reboot()
            await trio.sleep(half)
            self.in_maintenance = self.maintenance_required = False
            self.maintenances += 1
            self.record.say("has ended its maintenance")
            await self._tell("EndMaintenance")

    async def _tell(self, name: str, *, details: str = "", maintenance: bool = False) -> bool:
        """Post an event that belongs to no request; whether the till took it."""
        if not self._till.posts:
            return False
        return await self._panel.notify(self._till, name, details=details, maintenance=maintenance)

    def _start(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(work, *args)


def _next(now: datetime, at: time) -> float:
    """The timestamp at which it is `at` o'clock next, by the clock on the wall."""
    due = now.replace(hour=at.hour, minute=at.minute, second=at.second, microsecond=0)
    if due <= now:
        due += timedelta(days=1)
    return due.timestamp()
