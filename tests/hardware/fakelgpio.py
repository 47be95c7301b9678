"""A stand-in for the library lgpio: one thread that calls back, and dies of an exception.

It is the part of lgpio's interface that gpiozero's pins use, so that `laned.hardware.gpio` runs
whole where no board is. Like the real one it makes its pipe in the working directory when imported.
"""

import os
import queue
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

Edge = tuple[int, int, int, int]


class Callback:
    """What `lgpio.callback` returns."""

    def __init__(self, library: "FakeLgpio", gpio: int, func: Callable[..., None]) -> None:
        self.gpio = gpio
        self.func = func
        self._library = library
        library.callbacks.append(self)

    def cancel(self) -> None:
        self._library.callbacks.remove(self)


class FakeLgpio(types.ModuleType):
    """The module; `pull_line` is somebody's finger."""

    IS_OUT = 2
    BOTH_EDGES, RISING_EDGE, FALLING_EDGE = 3, 1, 2
    SET_BIAS_PULL_UP, SET_BIAS_PULL_DOWN, SET_BIAS_DISABLE = 32, 64, 128
    SET_PULL_UP, SET_PULL_DOWN, SET_PULL_NONE = 32, 64, 128

    class error(Exception):  # noqa: N801, N818 - lgpio's own name
        """What lgpio raises."""

    def __init__(self) -> None:
        super().__init__("lgpio")
        self.made_in = Path(os.environ.get("LG_WD") or Path.cwd())
        os.chdir(self.made_in)
        (self.made_in / ".lgd-nfy0").touch()
        self.callbacks: list[Callback] = []
        self.levels: dict[int, int] = {}
        self.modes: dict[int, int] = {}
        self._edges: queue.Queue[Edge | None] = queue.Queue()
        self.thread = threading.Thread(target=self._notify, daemon=True)
        self.thread.start()

    def _notify(self) -> None:
        while (edge := self._edges.get()) is not None:
            for callback in list(self.callbacks):
                if callback.gpio == edge[1]:
                    callback.func(*edge)
            self._edges.task_done()

    def pull_line(self, gpio: int, level: int) -> None:
        """Bring a line to a level, as the wire does."""
        self.levels[gpio] = level
        self._edges.put((0, gpio, level, 0))

    def settle(self) -> None:
        """Wait until the thread has called back for everything, or has died."""
        self._edges.put(None)
        self.thread.join(5)

    # -- What gpiozero calls

    def gpiochip_open(self, chip: int) -> int:
        return chip

    def gpiochip_close(self, handle: int) -> int:
        return 0

    def gpio_claim_input(self, handle: int, gpio: int, flags: int = 0) -> int:
        self.modes[gpio] = flags
        self.levels.setdefault(gpio, int(bool(flags & self.SET_PULL_UP)))
        if flags & self.SET_PULL_UP:
            self.levels[gpio] = 1
        return 0

    def gpio_claim_output(self, handle: int, gpio: int) -> int:
        self.modes[gpio] = self.IS_OUT
        return 0

    def gpio_claim_alert(self, handle: int, gpio: int, edges: int, flags: int) -> int:
        self.modes[gpio] = flags
        return 0

    def gpio_free(self, handle: int, gpio: int) -> int:
        return 0

    def gpio_get_mode(self, handle: int, gpio: int) -> int:
        return self.modes[gpio]

    def gpio_read(self, handle: int, gpio: int) -> int:
        return self.levels[gpio]

    def gpio_write(self, handle: int, gpio: int, level: bool) -> int:
        self.levels[gpio] = int(level)
        return 0

    def gpio_set_debounce_micros(self, handle: int, gpio: int, micros: int) -> int:
        return 0

    def callback(self, handle: int, gpio: int, edges: int, func: Any) -> Callback:
        return Callback(self, gpio, func)
