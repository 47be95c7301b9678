"""laned on real parts of an operating system, installed from its package.

    tests/rig/run.py nspawn|qemu|all [--package FILE] [--keep]

- **nspawn**: Debian 12 in a container whose first process is systemd: the units, the till's socket,
  the watchdog, the sandbox, install, upgrade, remove and purge, two lanes.
- **qemu**: Debian 12 and its own kernel in an emulated machine (x86-64, never KVM): GPIO lines of
  the kernel's gpio-sim, and an I2C bus with a recording adapter (module/) in a panel's place.

The terminal is `laned simulate` from the same package. Needs root on Debian 12, the way to Debian's
archive, and to Python's registry when the package is built here. A line for each check: "ok NAME"
or "not ok NAME: why"; figures after "#". The last line counts; the exit status is 1 if one failed.
`--keep` leaves the files, and says where they are.

`inside/` runs in the machines, on a bare python3. Nothing here is a test for pytest except
test_*.py.
"""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import debian, nspawn, qemu
from rig.checks import Checks

RIGS: dict[str, Callable[[Checks, Path, Path], None]] = {"nspawn": nspawn.rig, "qemu": qemu.rig}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("which", choices=(*RIGS, "all"))
    parser.add_argument("--package", type=Path, metavar="FILE", help="laned's, for this machine")
    parser.add_argument("--keep", action="store_true", help="leave the files")
    options = parser.parse_args()
    checks = Checks()
    # As Ctrl-C does, so that no machine is left running.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(f"signal {number}"))
    work = Path(tempfile.mkdtemp(prefix="laned-rig-", dir="/var/tmp"))
    try:
        package = options.package or debian.package(work)
        checks.note(f"{package.name} is there")
        for name in RIGS if options.which == "all" else (options.which,):
            with checks.check(f"{name}: from its beginning to its end"):
                RIGS[name](checks, package, work)
    finally:
        if options.keep:
            print(f"# kept: {work}")
        else:
            shutil.rmtree(work)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
