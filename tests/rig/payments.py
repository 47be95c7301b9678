"""Checks that a payment survives whatever the service manager does in the middle of it.

In each the till repeats its PUT until it is told the outcome, and the terminal's books must hold
exactly one charge more than before.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rig.checks import Checks, equal
from rig.lane import Lane, Terminal

WATCHDOG: Final = 2
"""Seconds of the watchdog in its check; the unit's own value takes no other way."""


@contextmanager
def in_the_middle(
    lane: Lane, terminal: Terminal, number: str, shown: str = "PIN"
) -> Iterator[None]:
    """Run the body once the terminal shows this; then see that it was charged exactly once."""
    lane.ready()
    charges, seen = terminal.charges(), terminal.count(shown)
    asked = lane.put(number, wait=60)
    terminal.until(shown, seen)
    yield
    told = lane.outcome(number)
    asked.exception(60)  # whatever became of the first request: the till repeated it
    equal(told["state"], "approved", "what the till is told")
    equal(terminal.charges() - charges, 1, "the number of charges")
    violations = [line for _, line in terminal.said() if "VIOLATION" in line]
    equal(violations, [], "the rules that were broken at the terminal")


def check_payments(checks: Checks, lane: Lane, terminal: Terminal) -> None:
    """Check each way in which a daemon can end."""
    machine = lane.machine
    with checks.check("a payment in peace is charged once"), in_the_middle(lane, terminal, "peace"):
        pass
    with checks.check("journalctl PAYMENT= tells of it, one line for each event, with its fields"):
        fields = "MESSAGE,PRIORITY,LANE,EVENT,_SYSTEMD_UNIT"
        output = machine.sh(f"journalctl -o json --output-fields={fields} PAYMENT=peace")
        told = [json.loads(line) for line in output.splitlines()]
        messages = [entry["MESSAGE"] for entry in told if entry["EVENT"] == "payment"]
        equal(messages[0], "payment peace 38.00 SEK processing", "the first line")
        equal(messages[-1], "payment peace 38.00 SEK approved", "the last line")
        for entry in told:
            where = (entry["LANE"], entry["_SYSTEMD_UNIT"], entry["PRIORITY"])
            equal(where, ("lane1", lane.service, "6"), entry["MESSAGE"])

    def killed() -> None:
        machine.sh(f"kill -9 {lane.pid}")

    def stopped() -> None:
        machine.sh(f"systemctl stop {lane.service}")
        equal(machine.show(lane.service, "Result"), "success", "the stop's result")
        machine.sh(f"systemctl start {lane.service}")

    def restarted() -> None:
        machine.sh(f"systemctl restart {lane.service}")

    ways: dict[str, Callable[[], None]] = {
        "kill -9": killed, "stop and start": stopped, "restart": restarted
    }  # fmt: skip
    for name, end in ways.items():
        with checks.check(f"{name} in the middle of a payment: charged once, and the till knows"):
            before = lane.pid
            with in_the_middle(lane, terminal, name.replace(" ", "-")):
                end()
            assert lane.pid != before, "the daemon was not ended"


def check_watchdog(checks: Checks, lane: Lane, terminal: Terminal) -> None:
    """Check that a frozen lane is ended and started again, and its payment recovered."""
    machine = lane.machine
    usual = machine.show(lane.service, "WatchdogUSec")
    drop_in = f"/run/systemd/system/{lane.service}.d/watchdog.conf"
    machine.write(drop_in, f"[Service]\nWatchdogSec={WATCHDOG}\n")
    machine.sh(f"systemctl daemon-reload; systemctl restart {lane.service}")
    with checks.check(f"the watchdog is on (as installed: {usual}) and fed"):
        assert usual not in {"0", "infinity"}, "the unit has no watchdog"
        before = lane.pid
        machine.sh(f"sleep {2 * WATCHDOG}")
        equal(lane.pid, before, f"the process, {2 * WATCHDOG} s later")
    with checks.check("frozen in the middle of a payment: started again, charged once"):
        restarts = int(machine.show(lane.service, "NRestarts"))
        with in_the_middle(lane, terminal, "frozen"):
            machine.sh(f"kill -STOP {lane.pid}")
            machine.until(
                lambda: int(machine.show(lane.service, "NRestarts")) > restarts, "the watchdog"
            )
        log = machine.sh(f"journalctl -o cat -u {lane.service}")
        assert "Watchdog timeout" in log, "it was something else than the watchdog"
    machine.sh(
        f"rm -r {Path(drop_in).parent}; systemctl daemon-reload; systemctl restart {lane.service}"
    )
