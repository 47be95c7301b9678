"""`laned demo` in a terminal window (a pty): keys in, a picture out, the window put back."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from typing import Any

import pytest

PATIENCE = 20.0
SPEED = "5"
OTHER_SCREEN, BACK = "\x1b[?1049h", "\x1b[?1049l"


class Person:
    """Sits before the window of a running demonstration."""

    def __init__(self, columns: int, lines: int) -> None:
        self._master, self._slave = pty.openpty()
        termios.tcsetwinsize(self._slave, (lines, columns))
        self._modes = termios.tcgetattr(self._slave)
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "laned", "demo", "--speed", SPEED],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=os.environ | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"},
            start_new_session=True,
        )

    def sees(self, text: str) -> None:
        """Wait for `text`, unless it was there already."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            if select.select([self._master], [], [], 0.1)[0]:
                self.seen += os.read(self._master, 65536).decode(errors="replace")
                continue
            lives = self.process.poll() is None and time.monotonic() < deadline
            assert lives, f"{text!r} did not come; the last was {self.seen[-2000:]!r}"

    def types(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def resizes(self, columns: int, lines: int) -> None:
        termios.tcsetwinsize(self._slave, (lines, columns))
        self.process.send_signal(signal.SIGWINCH)

    def leaves(self) -> tuple[int, list[Any]]:
        """The exit status, and the window's modes if they are not as they were."""
        self.sees(BACK)
        status = self.process.wait(PATIENCE)
        while select.select([self._master], [], [], 0)[0]:
            self.seen += os.read(self._master, 65536).decode(errors="replace")
        modes = termios.tcgetattr(self._slave)
        return status, [] if modes == self._modes else modes

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture
def person() -> Iterator[Person]:
    someone = Person(150, 50)
    yield someone
    someone.close()


def test_a_payment_another_one_aborted_and_out(person: Person) -> None:
    person.sees(OTHER_SCREEN)
    person.sees('shows "Welcome"')
    assert "● abort [a]" not in person.seen
    person.types("p")
    person.sees("PUT /v1/payments/demo-1")
    person.sees("● abort [a]")
    person.sees("payment demo-1 approved: Mastercard")
    person.sees("card terminal, 38.00 SEK charged")
    assert "● confirm [c]" not in person.seen
    person.types("s")
    person.sees('question "Signature approved?"')
    person.sees("● confirm [c]")
    person.types("\n")
    person.sees("answer yes, by button")
    person.sees("payment demo-2 approved: Visa")
    person.types("p")
    person.sees("payment demo-3 processing")
    person.types("p")  # while the other one runs
    person.sees("is refused: lane_busy")
    person.types("a")
    person.sees("abort is pressed")
    person.sees("payment demo-3 aborted")
    assert "⣿" not in person.seen
    person.resizes(80, 24)
    person.sees("⣿")  # in braille now
    person.types("\x1b[A")  # no key of ours
    person.types("q")
    assert person.leaves() == (0, [])
    assert person.seen.rpartition(BACK)[2].strip() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_window_is_put_back_when_it_is_interrupted(
    person: Person, number: signal.Signals
) -> None:
    person.sees('shows "Welcome"')
    person.types("p")
    person.sees("payment demo-1 processing")
    person.process.send_signal(number)
    assert person.leaves() == (130, [])
    assert "Traceback" not in person.seen
