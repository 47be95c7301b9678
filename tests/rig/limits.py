"""Checks that the unit's limits of memory and tasks bite."""

from typing import Final

from rig.checks import Checks, equal
from rig.lane import Lane

MEBI: Final = 1 << 20
GREEDY: Final = """[Service]
Type=oneshot
Restart=no
WatchdogSec=0
ExecStartPre=
ExecStopPost=
ExecStart=
ExecStart=/usr/bin/python3 -I /opt/rig/greedy.py {mebibytes} {threads}
StandardOutput=truncate:/run/greedy
"""


def check_limits(checks: Checks, lane: Lane) -> None:
    """Check both limits, and that it is they that bite."""
    machine, greedy = lane.machine, Lane(lane.machine, "greedy")
    memory = int(machine.show(lane.service, "MemoryMax")) // MEBI
    tasks = int(machine.show(lane.service, "TasksMax"))
    used = int(machine.show(lane.service, "MemoryCurrent")) / MEBI
    running = machine.show(lane.service, "TasksCurrent")
    checks.note(f"the lane uses {used:.0f} of {memory} MiB, {running} of {tasks} tasks")

    def result(mebibytes: int, threads: int, opened: str = "") -> tuple[str, str]:
        drop_in = f"/run/systemd/system/{greedy.service}.d/greedy.conf"
        text = GREEDY.format(mebibytes=mebibytes, threads=threads)
        machine.write(drop_in, f"{text}{opened}\n")
        machine.sh(f"systemctl daemon-reload; systemctl start {greedy.service} || true")
        return machine.show(greedy.service, "Result"), machine.read("/run/greedy").decode().strip()

    with checks.check(f"MemoryMax={memory}M ends who takes more"):
        equal(result(memory + 64, 1), ("oom-kill", ""), "the result")
    with checks.check(f"TasksMax={tasks} gives no more tasks"):
        equal(result(1, tasks + 9), ("success", str(tasks - 1)), "the result")
    with checks.check("without these limits the same is given"):
        found = result(memory + 64, tasks + 9, "MemoryMax=infinity\nTasksMax=infinity")
        equal(found, ("success", str(tasks + 9)), "the result")
