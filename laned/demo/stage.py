"""A whole lane on this machine: laned itself between a simulated terminal and a till.

Nothing is pretended between them: TCP on the loopback, a unix socket and a journal in a temporary
folder, and laned's own display and buttons, on a virtual panel and virtual pins.
"""

import math
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import trio
from msgspec import Struct
from msgspec.structs import replace

from laned.config.display import DisplayConfig
from laned.config.schema import (
    ButtonsConfig,
    Config,
    JournalConfig,
    LaneConfig,
    ListenerConfig,
    MaintenanceConfig,
    PaymentConfig,
    TerminalConfig,
    TillConfig,
)
from laned.daemon import Lane, open_journal, serve_lane
from laned.demo import words
from laned.demo.plays import CURRENCY, PLAYS
from laned.demo.till import Till
from laned.demo.words import Who
from laned.http.listen import Listener, listen_tcp
from laned.http.sse import Event
from laned.lane.state import Phase
from laned.simulator import SCENARIOS, Settings, Terminal, callback_client
from laned.simulator.port import serve_terminal
from laned.views.screen import Screen, farewell, screen

if TYPE_CHECKING:
    from PIL.Image import Image

LOOPBACK: Final = "127.0.0.1"
IDLE: Final = ("Welcome",)  # what the simulated terminal shows when it has nothing to do
BUSY_AFTER_LOGIN: Final = 1.0  # seconds; less than of a real one, as a demonstration is short
BOOT_TIME: Final = 8.0  # seconds; the same
MAINTENANCE_TIME: Final = 6.0  # seconds; the same
RESTART_TIME: Final = 3.0  # seconds from a power cut to laned's next life
IDLE_BEFORE: Final = 4.0  # seconds at speed 1; of the ten minutes that laned waits
RETRY_INTERVAL: Final = 2.0  # seconds at speed 1 between two questions about a payment
FASTEST_RETRY: Final = 0.1  # seconds
RECENT: Final = 8  # screens among which a frame's own is looked for


class Said(Struct, frozen=True):
    """Somebody did something, `at` seconds after the beginning."""

    at: float
    who: Who
    text: str


class Shown(Struct, frozen=True):
    """The lane's display showed `frame`, a picture of `screen`."""

    at: float
    frame: "Image"
    screen: Screen


Happening = Said | Shown


class Stage:
    """The running lane and all that is around it; `happenings` is everything, in order."""

    lane: Lane
    terminal: Terminal

    def __init__(self, till: Till) -> None:
        self.till = till
        self._start = trio.current_time()
        self._tell, self.happenings = trio.open_memory_channel[Happening](math.inf)
        self._early: list[Image] = []
        self._screens: deque[Screen] = deque(maxlen=RECENT)
        self._booked: str | None = None
        self._paid = ""
        self.lives = 0
        """How often laned has started."""
        self.power_was_cut = False

    def say(self, who: Who, text: str) -> None:
        """Let it be known that `who` does what `text` says."""
        self._tell.send_nowait(Said(self._now(), who, text))

    async def idle(self) -> None:
        """Wait until the terminal has nothing to do."""
        await self.terminal.until(lambda: self.terminal.display == IDLE)

    async def maintained(self) -> None:
        """Wait until the terminal has been maintained."""
        await self.terminal.until(lambda: self.terminal.maintenances > 0)

    async def set_aside(self) -> tuple[str, ...]:
        """Wait until the lane is ready for the next customer; what it lists as set aside then."""
        await self.lane.watch.until(lambda state: True if state.phase is Phase.READY else None)
        return tuple((await self.till.lane())["set_aside"])

    def hears(self, event: Event) -> None:
        """Take what the till hears, unless it is nothing new about a payment."""
        told = words.of_event(*event)
        if told is None or (event.name == "payment" and told == self._paid):
            return
        if event.name == "payment":
            self._paid = told
        self.say("till", f"hears: {told}")

    def terminal_says(self, line: str) -> None:
        """Take a line of the simulated terminal, and look into its books."""
        *_, booked = (None, *map(words.of_books, self.terminal.ledger))
        if booked and booked != self._booked:
            self.say("terminal", booked)
        self._booked = booked
        told = words.of_terminal(line)
        if told is not None:
            self.say(*told)

    def shows(self, frame: "Image") -> None:
        """Take a frame of the lane's display."""
        from laned.hardware.drawing import draw

        if not hasattr(self, "lane"):
            self._early.append(frame)
            return
        # The lane may be a step ahead of its display.
        newest = screen(self.lane.watch.state)
        recent = (newest, *reversed(self._screens), farewell(self.lane.watch.state))
        shown = next((one for one in recent if draw(one, frame.size) == frame), newest)
        self._tell.send_nowait(Shown(self._now(), frame, shown))

    def next_life(self) -> trio.CancelScope:
        """What the lane's next life is to run in."""
        self._life = trio.CancelScope()
        return self._life

    def cut_power(self) -> None:
        """End the lane's life as a power cut does: nothing is ended in good order."""
        self.say("laned", "loses its power, as the terminal does")
        self.power_was_cut = True
        self._life.cancel()
        del self.lane

    def begin(self, lane: Lane) -> None:
        """The lane runs."""
        self.lives += 1
        if self.lives > 1:
            self.say("laned", "has started")
        self.lane = lane
        early, self._early = self._early, []
        for frame in early:
            self.shows(frame)

    async def follow(self) -> None:
        """Keep the lane's newest screens, to know the frames by."""
        async for newest in self.lane.watch.changes(screen):
            self._screens.append(newest)

    def close(self) -> None:
        """Nothing more happens."""
        self._tell.close()

    def _now(self) -> float:
        return trio.current_time() - self._start


@asynccontextmanager
async def open_stage(scenario: str, speed: float) -> AsyncIterator[Stage]:
    """A running lane, its terminal playing `scenario`, everything `speed` times faster.

    At the end the lane stops in good order. Raises StartError, JournalError or OSError when the
    machine does not grant what is needed.
    """
    stop = trio.Event()
    with TemporaryDirectory(prefix="laned-demo-") as folder:
        listeners = await listen_tcp(f"{LOOPBACK}:0")
        config = _config(Path(folder), scenario, _port(listeners), speed)
        async with callback_client() as client, trio.open_nursery() as nursery:
            stage = Stage(Till(Path(config.till.socket)))

            def listening(callbacks: Sequence[Listener]) -> None:
                nonlocal config
                if callbacks:  # in a later life the terminal posts to the same port
                    bind = f"{LOOPBACK}:{_port(callbacks)}"
                    config = replace(config, listener=ListenerConfig(bind=bind))
                if hasattr(stage, "terminal"):
                    return
                stage.terminal = Terminal(
                    scenario=SCENARIOS[scenario],
                    settings=Settings(
                        speed=speed,
                        busy_after_login=BUSY_AFTER_LOGIN,
                        busy_after_payment=0.0,
                        boot_time=BOOT_TIME,
                        maintenance_time=MAINTENANCE_TIME,
                        address=config.terminal.address,
                    ),
                    # In light integration there is nothing to post to.
                    callback=f"http://{LOOPBACK}:{_port(callbacks)}" if callbacks else "",
                    callback_client=client,
                    on_event=stage.terminal_says,
                )
                nursery.start_soon(stage.terminal.run)
                nursery.start_soon(serve_terminal, stage.terminal, listeners)

            ended = trio.Event()

            async def live(*, task_status: trio.TaskStatus[None]) -> None:
                """One life after the other, until one ends in good order."""

                def ready(lane: Lane) -> None:
                    stage.begin(lane)
                    nursery.start_soon(stage.follow)
                    if stage.lives == 1:
                        task_status.started()

                while True:
                    with stage.next_life() as life, closing(open_journal(config)) as journal:
                        await serve_lane(
                            config,
                            journal,
                            stop=stop,
                            on_listening=listening,
                            on_ready=ready,
                            idle_before=IDLE_BEFORE / speed,
                            on_frame=stage.shows,
                        )
                    if not life.cancelled_caught:
                        break
                    await trio.sleep(RESTART_TIME / speed)
                ended.set()

            await nursery.start(live)
            try:
                yield stage
            finally:
                await stage.till.aclose()
            stop.set()
            await ended.wait()
            stage.close()
            nursery.cancel_scope.cancel()


def _config(folder: Path, scenario: str, terminal_port: int, speed: float) -> Config:
    return Config(
        lane=LaneConfig(mode=PLAYS[scenario].mode),
        terminal=TerminalConfig(
            address=f"{LOOPBACK}:{terminal_port}",
            poi_id="DEMO",
            currency=CURRENCY,
            retry_interval=max(RETRY_INTERVAL / speed, FASTEST_RETRY),
        ),
        listener=ListenerConfig(bind=f"{LOOPBACK}:0"),
        till=TillConfig(socket=str(folder / "till.sock")),
        payment=PaymentConfig(signature="button"),
        maintenance=MaintenanceConfig(window=""),
        display=DisplayConfig(driver="virtual", language="en"),
        buttons=ButtonsConfig(driver="virtual"),
        journal=JournalConfig(path=str(folder / "journal.sqlite3")),
    )


def _port(listeners: Sequence[Listener]) -> int:
    listener = listeners[0]
    assert isinstance(listener, trio.SocketListener)
    port: int = listener.socket.getsockname()[1]
    return port
