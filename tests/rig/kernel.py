"""Debian's own kernel, and modules that it comes without: gpio-sim, and those in module/.

gpio-sim is built from Debian's source package, outside of the kernel's tree. irq_sim, which it
needs, uses there a function that modules may not call; one that they may does the same.
"""

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from rig import debian
from rig.debian import run

SOURCES: Final = ("drivers/gpio/gpio-sim.c", "drivers/gpio/gpiolib.h", "kernel/irq/irq_sim.c")
FORBIDDEN: Final = "handle_simple_irq(irq_to_desc(irqnum));"
ALLOWED: Final = "generic_handle_irq(irqnum);"
MAKEFILE: Final = "obj-m := gpio-sim.o pi.o recorder.o\ngpio-sim-y := gpio-sim-main.o irq_sim.o\n"
OURS: Final = sorted((Path(__file__).parent / "module").glob("*.c"))

EARLY: Final = ("crc32c_generic", "virtio_pci", "virtio_blk", "ext4")
"""For the initial file system: what the root file system is read with."""
LATER: Final = ("autofs4", "configfs", "i2c-dev", "virtio_console")
BUILT: Final = ("gpio-sim", *(source.stem for source in OURS))


class Kernel:
    """A kernel and modules in a folder: `image`, and modules as below /lib/modules/`version`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = (folder / "version").read_text()
        self.image = folder / "vmlinuz"
        self.modules = folder / "lib/modules" / self.version
        self.early = (folder / "early").read_text().split()
        """File names of the first modules, in the order in which they are loaded."""


def kernel() -> Kernel:
    """The kernel, from the cache or from Debian."""
    ours = hashlib.sha256(b"".join(source.read_bytes() for source in OURS)).hexdigest()[:8]
    return Kernel(debian.cached(f"kernel-{ours}", _make))


def _make(target: Path) -> None:
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run("apt-get", "update", "-qq")
    tools = ("linux-headers-amd64", "gcc", "make", "xz-utils", "kmod")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *tools)
    depends = run("apt-cache", "depends", "linux-headers-amd64")
    found = re.search(r"Depends: linux-headers-(\S+)", depends)
    assert found is not None, depends
    version = found[1]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        work = Path(name)
        packages = (f"linux-image-{version}", f"linux-source-{'.'.join(version.split('.')[:2])}")
        run("apt-get", "download", "-qq", *packages, cwd=work)
        run("sh", "-c", "dpkg-deb --extract linux-image-*.deb image", cwd=work)
        run("depmod", "-b", work / "image", version)
        target.mkdir()
        (target / "version").write_text(version)
        shutil.copy(work / f"image/boot/vmlinuz-{version}", target / "vmlinuz")
        _copy_modules(work / "image", version, target)
        _build(work, version)
        for module in BUILT:
            shutil.copy(work / f"build/{module}.ko", target / "lib/modules" / version)


def _copy_modules(image: Path, version: str, target: Path) -> None:
    """Copy the modules that are needed, and the lists without which depmod is lost."""
    modules = target / "lib/modules" / version
    modules.mkdir(parents=True)
    early = []
    for name in (*EARLY, *LATER):
        wanted = run("modprobe", "-d", image, "-S", version, "--show-depends", name)
        for path in re.findall(r"(?m)^insmod (\S+)", wanted):
            shutil.copy(path, modules)
            file = Path(path).name
            if name in EARLY and file not in early:
                early.append(file)
    (target / "early").write_text(" ".join(early))
    for listed in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(image / "lib/modules" / version / listed, modules)


def _build(work: Path, version: str) -> None:
    wanted = " ".join(f"'*/{source}'" for source in SOURCES)
    unpack = "dpkg-deb --fsys-tarfile linux-source-*.deb | tar -xO --wildcards '*.tar.xz'"
    run("sh", "-c", f"{unpack} | tar -xJ --strip-components=1 --wildcards {wanted}", cwd=work)
    build = work / "build"
    build.mkdir()
    shutil.copy(work / SOURCES[0], build / "gpio-sim-main.c")
    shutil.copy(work / SOURCES[1], build)
    text = (work / SOURCES[2]).read_text()
    assert text.count(FORBIDDEN) == 1, "irq_sim.c is another"
    (build / "irq_sim.c").write_text(text.replace(FORBIDDEN, ALLOWED))
    for source in OURS:
        shutil.copy(source, build)
    (build / "Makefile").write_text(MAKEFILE)
    run("make", "-s", "-C", f"/usr/src/linux-headers-{version}", f"M={build}", "modules")
