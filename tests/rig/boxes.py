"""Checks of several lanes on one box, and of the package's life: upgrade, remove, purge."""

import re
from collections.abc import Sequence
from typing import Final

from rig.checks import Checks, equal
from rig.debian import NEWER
from rig.lane import Lane, Terminal
from rig.machine import Machine
from rig.payments import in_the_middle
from rig.service import configure

SLOW: Final = 0.6
"""So that a payment takes longer than the unpacking of a package."""


def check_lanes(checks: Checks, machine: Machine) -> None:
    """Check that two lanes of one box do not touch each other."""
    lanes = [Lane(machine, "a"), Lane(machine, "b")]
    terminals = []
    for number, lane in enumerate(lanes, 2):
        configure(lane, 11000 + number, 12000 + number, f"RIG-{number}")
        terminals.append(Terminal(machine, "happy", port=11000 + number, listener=12000 + number))
        machine.sh(f"systemctl enable --now {lane.socket_unit} {lane.service}")
    with checks.check("two lanes: payments under one id at once, one daemon killed"):
        for lane in lanes:
            lane.ready()
        a, b = lanes
        untouched = b.pid
        equal(len({a.pid, b.pid}), 2, "the number of processes")
        with in_the_middle(b, terminals[1], "same"), in_the_middle(a, terminals[0], "same"):
            machine.sh(f"kill -9 {a.pid}")
        equal(b.pid, untouched, "the other lane's process")
        a_bought = a.payment("same")["poi_transaction"]
        assert a_bought != b.payment("same")["poi_transaction"], "one journal for two lanes"
        equal(machine.sh(f"ls {a.journal} {b.journal}").split(), [a.journal, b.journal], "journals")
    for lane in lanes:
        rollup = machine.read(f"/proc/{lane.pid}/smaps_rollup").decode()
        sizes = {line.split()[0]: int(line.split()[1]) / 1024 for line in rollup.splitlines()[1:]}
        checks.note(
            f"memory of {lane.service}: {sizes['Rss:']:.1f} MiB resident, "
            f"{sizes['Pss:']:.1f} MiB with shared pages counted in part"
        )


def check_upgrade(checks: Checks, lane: Lane, terminal: Terminal, others: Sequence[Lane]) -> None:
    """Check that an upgrade waits for an idle lane, and keeps journal and configuration."""
    machine = lane.machine
    everyone = [lane, *others]
    old = [each.pid for each in everyone]
    known = [payment["id"] for payment in lane.ask("GET", "/v1/payments").body["payments"]]
    machine.sh(f"echo '# changed by hand' >> {lane.config}")
    terminal.end()
    terminal = Terminal(machine, "happy", speed=SLOW)
    changed = machine.read(lane.config)
    with checks.check("upgrade during a payment: it waits, then every lane is the new one"):
        machine.sh("dpkg --force-confold --unpack /root/newer.deb", patience=200)
        with in_the_middle(lane, terminal, "upgrade", "Present card"):
            argv = ["dpkg", "--force-confold", "--configure", "laned"]
            upgrade = machine.later("run", argv=argv, timeout=200)
            machine.until(lambda: lane.payment("upgrade")["state"] == "approved", "the payment")
            equal(lane.pid, old[0], "the process at the payment's end")
        done = upgrade.result(200)
        equal(done["code"], 0, f"dpkg's exit status ({done['err'][-200:]})")
        assert "waiting" in done["out"] + done["err"], "it had nothing to wait for"
        for each, before in zip(everyone, old, strict=True):
            assert each.pid != before, f"{each.service} was not restarted"
            equal(each.ask("GET", "/v1/lane").body["version"], NEWER, "the version")
    with checks.check("upgrade: the payments and a changed configuration are kept"):
        now = [payment["id"] for payment in lane.ask("GET", "/v1/payments").body["payments"]]
        equal(now, ["upgrade", *known], "the payments")
        equal(machine.read(lane.config), changed, "the configuration")
        assert b"newer package" in machine.read(f"{lane.config}.dpkg-dist")


def check_removal(checks: Checks, lane: Lane, others: Sequence[Lane]) -> None:
    """Check what remove and purge leave behind."""
    machine = lane.machine
    everyone = [lane, *others]
    with checks.check("remove: nothing runs, the journal and the configuration stay"):
        machine.sh("dpkg -r laned", patience=150)
        units = [unit for each in everyone for unit in (each.service, each.socket_unit)]
        states = machine.sh(f"systemctl is-active {' '.join(units)}", check=False).split()
        equal(set(states), {"inactive"}, "the units")
        running = machine.sh("grep -lsa '[l]aned.run' /proc/[0-9]*/cmdline", check=False)
        equal(running, "", "what still runs")
        machine.sh("! ls /run/laned/*.sock /opt/laned /usr/bin/laned /lib/systemd/system/laned*")
        machine.sh(f"ls {lane.journal} {lane.config} {others[0].journal}")
    with checks.check("purge: nothing is left but the payments, put aside"):
        machine.sh("dpkg -P laned")
        machine.sh("! ls -d /etc/laned/laned.toml /var/lib/laned")
        kept = machine.sh("find /var/backups -name 'journal.sqlite3' | sort").split()
        for each in everyone:
            inside = each.journal.removeprefix("/var/lib/laned")
            found = [
                path for path in kept if re.fullmatch(rf"/var/backups/laned-[^/]+{inside}", path)
            ]
            equal(len(found), 1, f"journals kept of {each.service} (of {kept})")
        left = machine.sh("find /etc/systemd /run/systemd -name '*laned*' ", check=False)
        equal(left, "", "what is left")
