"""An emulated machine: Debian's kernel, and Debian with laned's package installed in it.

QEMU without KVM: where /dev/kvm is there it may still not work, as on machines that are virtual
themselves. The agent speaks over a virtio serial port. There is no network.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rig import debian
from rig.debian import run
from rig.kernel import Kernel
from rig.machine import Machine, RigError

BOOT_WITHIN: Final = 180.0  # seconds
OFF_WITHIN: Final = 120.0  # seconds
SLOWNESS: Final = 6.0
SIZE: Final = "900M"
INIT: Final = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in $($b cat /modules/order); do $b insmod /modules/$module; done
while [ ! -b /dev/vda ]; do $b sleep 0.1; done
$b mount -t ext4 /dev/vda /new
$b mount --move /dev /new/dev
$b umount /sys
$b umount /proc
exec $b switch_root /new /sbin/init
"""
AGENT: Final = """[Unit]
DefaultDependencies=no
After=systemd-udev-trigger.service
[Service]
ExecStart=/usr/bin/python3 /opt/rig/agent.py /dev/virtio-ports/rig
Restart=always
RestartSec=1
[Install]
WantedBy=sysinit.target
"""
HARDWARE: Final = """[Unit]
Before=laned.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /opt/rig/hardware.sh
[Install]
WantedBy=multi-user.target
"""


def image(kernel: Kernel, package: Path, configuration: str, work: Path) -> Path:
    """A disk with laned installed, configured and enabled, and the rig's units."""
    root = work / "machine"
    debian.root(root)
    shutil.copy(package, root / "root/laned.deb")
    run("chroot", root, "dpkg", "--install", "/root/laned.deb")
    (root / "etc/laned/laned.toml").write_text(configuration)
    units = root / "etc/systemd/system"
    (units / "rig-agent.service").write_text(AGENT)
    (units / "rig-hardware.service").write_text(HARDWARE)
    enabled = ("rig-agent.service", "rig-hardware.service", "laned.service", "laned.socket")
    run("systemctl", f"--root={root}", "enable", *enabled)
    run("systemctl", f"--root={root}", "mask", "serial-getty@ttyS0.service", "getty@tty1.service")
    modules = root / "lib/modules"
    modules.mkdir(parents=True, exist_ok=True)
    shutil.copytree(kernel.modules, modules / kernel.version)
    run("depmod", "-b", root, kernel.version)
    disk = work / "machine.ext4"
    run("mke2fs", "-q", "-t", "ext4", "-d", root, disk, SIZE)
    shutil.rmtree(root)
    return disk


def _initial(kernel: Kernel, work: Path) -> Path:
    """The initial file system: busybox, and what is needed to mount the disk."""
    root = work / "initial"
    for folder in ("bin", "dev", "modules", "new", "proc", "sys"):
        (root / folder).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin")
    for module in kernel.early:
        shutil.copy(kernel.modules / module, root / "modules")
    (root / "modules/order").write_text(" ".join(kernel.early))
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    run("sh", "-c", "find . | cpio -o -H newc 2>/dev/null | gzip -1 > ../initial.gz", cwd=root)
    return work / "initial.gz"


@contextmanager
def vm(kernel: Kernel, disk: Path, work: Path) -> Iterator[Machine]:
    """Boot the machine; it is switched off at the end. RigError if it does not boot."""
    port, console = work / "port", work / "machine.console"
    command = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-smp", "2"]
    command += ["-m", "768", "-cpu", "max", "-nodefaults", "-nographic", "-no-reboot"]
    command += ["-nic", "none", "-serial", f"file:{console}"]
    command += ["-drive", f"if=none,id=disk,file={disk},format=raw,cache=unsafe"]
    command += ["-device", "virtio-blk-pci,drive=disk", "-device", "virtio-serial-pci"]
    command += ["-chardev", f"socket,id=rig,path={port},server=on,wait=on"]
    command += ["-device", "virtserialport,chardev=rig,name=rig"]
    command += ["-kernel", str(kernel.image), "-initrd", str(_initial(kernel, work))]
    command += ["-append", "console=ttyS0 root=/dev/vda rw quiet"]
    qemu = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        with _connected(port, qemu) as line:
            machine = Machine(line.makefile("w"), line.makefile("r"), slowness=SLOWNESS)
            try:
                machine.call("run", argv=["true"], timeout=60, patience=BOOT_WITHIN)
            except TimeoutError:
                said = console.read_text(errors="replace")[-600:]
                raise RigError(f"the machine did not boot: {said}") from None
            yield machine
            machine.later("run", argv=["systemctl", "--no-block", "poweroff"], timeout=60)
            qemu.wait(OFF_WITHIN)
    finally:
        if qemu.poll() is None:
            qemu.kill()
            qemu.wait()


def _connected(path: Path, qemu: "subprocess.Popen[bytes]") -> socket.socket:
    """The host's end of the machine's port."""
    deadline = time.monotonic() + BOOT_WITHIN
    while time.monotonic() < deadline and qemu.poll() is None:
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(str(path))
        except OSError:
            line.close()
            time.sleep(0.05)
        else:
            return line
    assert qemu.stderr is not None
    raise RigError(f"qemu ended: {qemu.stderr.read().decode(errors='replace')[-400:]}")
