"""A container of systemd-nspawn with systemd as its first process.

Unprivileged parts of the flags: this machine's own first process may be anything, so nothing is
registered with it. The three capabilities and the call bpf let systemd inside attach its device
filters: without them DevicePolicy= is silently ignored.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.machine import Machine, RigError

BOOT_WITHIN = 60.0  # seconds
OFF_WITHIN = 60.0  # seconds


@contextmanager
def container(root: Path) -> Iterator[Machine]:
    """Boot the Debian in `root`; it is switched off at the end. RigError if it does not boot."""
    command = ["systemd-nspawn", f"--directory={root}", "--boot", f"--machine=rig{os.getpid()}"]
    command += ["--register=no", "--keep-unit", "--private-network", "--link-journal=no"]
    command += ["--console=pipe", "--system-call-filter=bpf"]
    command += ["--capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN"]
    console = root.with_suffix(".console")
    leader = 0
    with console.open("wb") as out:
        nspawn = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        )  # fmt: skip
    try:
        leader = _leader(nspawn, console)
        with _agent(leader) as machine:
            yield machine
        subprocess.run([*_enter(leader), "systemctl", "poweroff"], check=True)
        nspawn.wait(OFF_WITHIN)
    finally:
        if nspawn.poll() is None:
            if leader:
                os.kill(leader, signal.SIGKILL)  # and with it everything inside
            nspawn.kill()
            nspawn.wait()


def _enter(leader: int) -> list[str]:
    return ["nsenter", f"--target={leader}", "--all", "--"]


@contextmanager
def _agent(leader: int) -> Iterator[Machine]:
    agent = subprocess.Popen(
        [*_enter(leader), "python3", "/opt/rig/agent.py"], start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert agent.stdin is not None
    assert agent.stdout is not None
    try:
        yield Machine(agent.stdin, agent.stdout)
    finally:
        # Before the power goes: systemd stops what is left with SIGSTOP, nsenter stops itself too
        # then, and the container waits for it for ever.
        agent.kill()
        agent.wait()


def _leader(nspawn: "subprocess.Popen[bytes]", console: Path) -> int:
    """The container's first process, once it has booted."""
    deadline = time.monotonic() + BOOT_WITHIN
    while time.monotonic() < deadline and nspawn.poll() is None:
        children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children").read_text().split()
        if children:
            leader = int(children[-1])
            state = subprocess.run(
                [*_enter(leader), "systemctl", "is-system-running"],
                capture_output=True, text=True, check=False,
            ).stdout.strip()  # fmt: skip
            if state in ("running", "degraded"):
                return leader
        time.sleep(0.1)
    raise RigError(f"the container did not boot: {console.read_text(errors='replace')[-600:]}")
