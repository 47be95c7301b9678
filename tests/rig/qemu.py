"""The rig in an emulated machine: laned on a kernel's GPIO lines and I2C bus, under real limits."""

from pathlib import Path
from typing import Final

from rig import debian, hardware, kernel
from rig.checks import Checks
from rig.lane import Lane, settings
from rig.vm import image, vm

COMMANDS: Final = ("qemu-system-x86_64", "mmdebstrap", "cpio", "mke2fs", "busybox", "depmod")
PACKAGES: Final = ("qemu-system-x86", "seabios", "mmdebstrap", "cpio", "e2fsprogs", "kmod")
APPROVE: Final = "\n[buttons.approve]\npin = 5\nled = 6\n"


def rig(checks: Checks, package: Path, work: Path) -> None:
    """Boot a machine with the package installed in it, and check everything."""
    debian.install(COMMANDS, (*PACKAGES, "busybox-static"))
    system = kernel.kernel()
    checks.note(f"kernel {system.version}")
    configuration = settings(
        terminal_address='"127.0.0.1:11001"', listener_bind='"127.0.0.1:11000"',
        payment_signature='"button"',
    )  # fmt: skip
    disk = image(system, package, configuration + APPROVE, work)
    checks.note("the machine's disk is there")
    with vm(system, disk, work) as machine:
        checks.note("the machine has booted as far as its agent")
        hardware.check(checks, Lane(machine))
