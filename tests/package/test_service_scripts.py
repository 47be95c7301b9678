"""The shell scripts beside the units, with stand-ins for the programs that they call."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
PATIENCE = 15.0  # seconds
IDLE = {"payment": None, "prompt": None}
PAYING = {"payment": "4711", "prompt": None}
ASKING = {"payment": None, "prompt": {"id": "1"}}


class Place:
    """A folder with programs that are found first, and note how they are called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.environment = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "RUNTIME_DIRECTORY": str(folder),
        }
        self.program("sleep")

    def program(self, name: str, body: str = "") -> None:
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.calls}\n{body}\n')
        path.chmod(0o755)

    def run(self, script: str, *arguments: str, **environment: str) -> str:
        """Run one of our scripts: what it said."""
        done = subprocess.run(
            [SYSTEMD / script, *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout + done.stderr

    def called(self) -> list[str]:
        """The calls since the last time."""
        found = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class TestBackOff:
    def start(self, place: Place) -> int:
        """A start: the seconds that it was put off."""
        place.run("back-off", "wait")
        calls = place.called()
        return int(calls[0].removeprefix("sleep ")) if calls else 0

    def end(self, place: Place, result: str) -> None:
        place.run("back-off", "note", SERVICE_RESULT=result)

    def test_pauses_grow_to_a_limit(self, place: Place) -> None:
        pauses = []
        for _ in range(8):
            pauses.append(self.start(place))
            self.end(place, "exit-code")
        assert pauses == [0, 0, 4, 8, 16, 28, 28, 28]

    @pytest.mark.parametrize("result", ["watchdog", "signal", "oom-kill", "timeout"])
    def test_every_failure_counts(self, place: Place, result: str) -> None:
        for _ in range(3):
            self.start(place)
            self.end(place, result)
        assert self.start(place) == 8

    def test_an_orderly_end_forgets_them(self, place: Place) -> None:
        for _ in range(5):
            self.start(place)
            self.end(place, "exit-code")
        self.end(place, "success")
        assert self.start(place) == 0

    def test_a_lane_that_ran_well_begins_anew(self, place: Place) -> None:
        for _ in range(5):
            self.start(place)
            self.end(place, "exit-code")
        self.start(place)
        long_ago = time.time() - 6 * 60
        os.utime(place.folder / "started", (long_ago, long_ago))
        self.end(place, "exit-code")
        assert self.start(place) == 0

    def test_an_administrator_ends_the_pause(self, place: Place) -> None:
        for _ in range(5):
            self.start(place)
            self.end(place, "exit-code")
        place.program("sleep", f"exec {_real('sleep')} 60")
        waiting = subprocess.Popen(
            [SYSTEMD / "back-off", "wait"],
            env=place.environment,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _until(place.calls.exists)
            waiting.send_signal(signal.SIGTERM)
            assert waiting.wait(PATIENCE) == 0
        finally:
            os.killpg(waiting.pid, signal.SIGKILL)
        place.called()
        place.program("sleep")
        assert self.start(place) == 0


class TestWhenIdle:
    """`systemctl` says which lanes run; each `laned status` is answered from a file's next line."""

    def lanes(self, place: Place, units: Mapping[str, list[Any]]) -> None:
        listed = "".join(f"{unit} loaded active running a lane\\n" for unit in units)
        place.program("systemctl", f'[ "$1" != list-units ] || printf "{listed}"')
        for unit, answers in units.items():
            socket = "till" if unit == "laned.service" else unit[6:].removesuffix(".service")
            lines = [json.dumps(answer) if answer else "" for answer in answers]
            (place.folder / f"{socket}.sock").write_text("\n".join(lines) + "\n")
        place.program(
            "laned",
            f'file={place.folder}/$(basename "$4")\n'
            'answer=$(head -n 1 "$file")\n'
            '[ "$(wc -l < "$file")" = 1 ] || sed -i 1d "$file"\n'
            '[ -n "$answer" ] && echo "$answer"',
        )

    def done(self, place: Place) -> list[str]:
        """What was waited for and what was done, in order."""
        calls = [call for call in place.called() if call.startswith(("systemctl", "sleep"))]
        return [call for call in calls if "list-units" not in call]

    def test_idle_lanes_at_once_and_together(self, place: Place) -> None:
        self.lanes(place, {"laned.service": [IDLE], "laned@two.service": [IDLE]})
        place.run("when-idle", "restart")
        assert self.done(place) == ["systemctl try-restart laned.service laned@two.service"]

    def test_a_lane_with_a_payment_or_a_prompt_is_waited_for(self, place: Place) -> None:
        busy = [PAYING, ASKING, IDLE]
        self.lanes(place, {"laned.service": [IDLE], "laned@two.service": busy})
        assert "laned@two.service has a payment" in place.run("when-idle", "restart")
        assert self.done(place) == [
            "systemctl try-restart laned.service",
            "sleep 5",
            "sleep 5",
            "systemctl try-restart laned@two.service",
        ]

    def test_patience_ends(self, place: Place) -> None:
        self.lanes(place, {"laned.service": [PAYING]})
        place.run("when-idle", "restart")
        assert self.done(place) == ["sleep 5"] * 24 + ["systemctl try-restart laned.service"]

    def test_a_lane_that_does_not_answer_is_not_waited_for(self, place: Place) -> None:
        self.lanes(place, {"laned.service": [None]})
        place.run("when-idle", "restart")
        assert self.done(place) == ["systemctl try-restart laned.service"]

    def test_a_stop_takes_the_socket_too(self, place: Place) -> None:
        self.lanes(place, {"laned@two.service": [IDLE]})
        place.run("when-idle", "stop")
        assert self.done(place) == ["systemctl stop laned@two.service laned@two.socket"]

    def test_no_lane_is_no_work(self, place: Place) -> None:
        self.lanes(place, {})
        place.run("when-idle", "restart")
        assert self.done(place) == []


def _real(program: str) -> str:
    return subprocess.run(
        ["/bin/sh", "-c", f"command -v {program}"], capture_output=True, text=True, check=True
    ).stdout.strip()


def _until(view: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not view():
        assert time.monotonic() < deadline
        time.sleep(0.01)
