"""The lane's own display: the newest screen on the panel, and the same picture for the till.

A display never touches the lane: frames are drawn and sent in a worker thread, may be skipped, and
whatever goes wrong with the panel is reported, not raised.
"""

import io
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from laned.config.display import DisplayConfig
from laned.hardware.back_off import BackOff
from laned.hardware.burn_in import AWAKE, Light, care
from laned.hardware.panel import Panel, PanelError
from laned.offload import Offload
from laned.views.screen import Screen

if TYPE_CHECKING:
    # At run time Pillow is imported in the worker thread, where nobody waits for it.
    from PIL.Image import Image

TICK_SECONDS = 1.5
"""How long each part of a screen is shown that does not show whole."""
FAREWELL_SECONDS = 2.0
MAX_SCALE = 8

log = logging.getLogger(__name__)


class Display:
    """Keeps the panel showing the newest screen.

    `frame` is the newest picture that the panel took, black while it is switched off (None before
    the first, and with driver "none"), `frames` how many it took, `errors` how often it took none;
    `on_frame`, if set, is called with each one.
    """

    def __init__(
        self,
        config: DisplayConfig,
        offload: Offload,
        *,
        on_frame: Callable[["Image"], None] | None = None,
    ) -> None:
        self.size = config.size
        self.frame: Image | None = None
        self.frames = 0
        self.errors = 0
        self.on_frame = on_frame
        self._config = config
        self._panel = Panel(config)
        self._offload = offload
        self._wanted: Screen | None = None
        self._changed = trio.Event()
        self._place = 0
        self._reported = ""

    async def run(
        self,
        screens: AsyncIterator[Screen],
        report: Callable[[str], None],
        *,
        farewell: Screen,
    ) -> None:
        """Show the newest of `screens` until cancelled, then `farewell`, which stays, dimmed.

        `report` is told "ok", "failing" or "off" (driver "none") at every change. Trouble with the
        panel is never raised; it is opened again after 1 s, doubling up to 30 s.
        """
        if self._config.driver == "none":
            report("off")
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._follow, screens)
                await self._keep_shown(report)
        finally:
            if self._panel.is_open:
                with (
                    trio.move_on_after(FAREWELL_SECONDS, shield=True),
                    suppress(PanelError),
                ):
                    dim = self._config.dim_after > 0
                    await self._show(farewell, 0, Light.DIM if dim else Light.BRIGHT)
            self._panel.close()

    def wake(self) -> None:
        """Somebody is there: light the panel, whether the screen changes or not."""
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def png(self, scale: int = 1) -> bytes:
        """Return `frame` as a PNG, each pixel `scale` (1..8) pixels wide and high.

        Raises ValueError for another scale and LookupError while there is no frame.
        """
        if not 1 <= scale <= MAX_SCALE:
            raise ValueError(f"scale {scale} is not in 1..{MAX_SCALE}")
        if self.frame is None:
            why = "is switched off" if self._config.driver == "none" else "has shown nothing yet"
            raise LookupError(f"the display {why}: hardware.display of /v1/lane says how it is")
        width, height = self.frame.size
        buffer = io.BytesIO()
        # Nearest neighbour is what Pillow does to 1-bit pictures, whatever it is asked for.
        self.frame.resize((width * scale, height * scale)).save(buffer, "PNG")
        return buffer.getvalue()

    async def _follow(self, screens: AsyncIterator[Screen]) -> None:
        async for screen in screens:
            if screen != self._wanted:
                self._wanted = screen
                self.wake()

    async def _keep_shown(self, report: Callable[[str], None]) -> None:
        tick, moves, since, back_off = 0, 0, 0.0, BackOff()
        shown: Screen | None = None
        seen: trio.Event | None = None
        while True:
            screen, changed, now = self._wanted, self._changed, trio.current_time()
            if screen is None:
                await changed.wait()
                continue
            if changed is not seen:
                seen, since, moves = changed, now, 0
            if screen != shown:
                shown, tick = screen, 0
            due = care(self._config, now - since) if screen.at_rest else AWAKE
            moved, moves = due.moves > moves, due.moves
            self._place += moved
            try:
                goes_on = await self._show(screen, tick, due.light, afresh=moved)
            except PanelError as error:
                self.errors += 1
                if not back_off.failing:
                    log.warning("display: %s: %s; trying again", self._config.driver, error)
                self._tell(report, "failing")
                await back_off.wait()
                continue
            if back_off.failing:
                log.info("display: %s works again", self._config.driver)
            self._tell(report, "ok")
            back_off.succeeded()
            steps = goes_on and due.light is not Light.OFF
            turn = trio.current_time() + TICK_SECONDS if steps else math.inf
            with trio.move_on_at(min(turn, now + due.lasts)):
                await changed.wait()
            tick += trio.current_time() >= turn

    async def _show(self, screen: Screen, tick: int, light: Light, *, afresh: bool = False) -> bool:
        """Draw and send in the worker; return whether a next tick would look different."""
        place = self._place
        frame, goes_on = await self._offload(
            lambda: self._update(screen, tick, place, light, afresh=afresh)
        )
        if frame != self.frame:
            self.frame = frame
            self.frames += 1
            if self.on_frame is not None:
                self.on_frame(frame)
        return goes_on

    def _update(
        self, screen: Screen, tick: int, place: int, light: Light, *, afresh: bool
    ) -> tuple["Image", bool]:
        """Return what the panel shows now, and whether the screen scrolls."""
        from laned.hardware.drawing import blank, draw, scrolls

        frame = draw(screen, self.size, tick, place) if light is not Light.OFF else blank(self.size)
        # A panel that lost its supply for a moment takes whatever it is sent, and stays dark. Now
        # and then, while nobody looks, it is therefore initialised again.
        self._panel.show(frame, light, afresh=afresh)
        return frame, scrolls(screen, self.size)

    def _tell(self, report: Callable[[str], None], state: str) -> None:
        if state != self._reported:
            self._reported = state
            report(state)
